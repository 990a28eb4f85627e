"""An evaluation as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table


def evaluation_table(evaluation: Mapping[str, Any]) -> Table:
    """One row a resolution of an `edgevit.evaluation/1` document; both models where there are two."""
    against = evaluation.get("against")
    table = Table(title=f"{evaluation['images']} pictures of {evaluation['data']}", title_justify="left")
    table.add_column("resolution", justify="right")
    for model in (evaluation, against) if against else (evaluation,):
        table.add_column(f"{model['model']}\ntop-1", justify="right")
        table.add_column("\ntop-5", justify="right")
    if against:
        table.add_column("\nagreement", justify="right")
    for index, result in enumerate(evaluation["results"]):
        row = [str(result["resolution"]), f"{result['top1']:.2%}", f"{result['top5']:.2%}"]
        if against:
            other = against["results"][index]
            row += [f"{other['top1']:.2%}", f"{other['top5']:.2%}", f"{other['agreement']:.2%}"]
        table.add_row(*row)
    return table


def evaluation_notes(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """A line when pictures were left out."""
    if evaluation["skipped"]:
        files = evaluation["skipped_files"]
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        yield f"skipped {evaluation['skipped']} pictures that cannot be read: {', '.join(files[:3])}{more}"
