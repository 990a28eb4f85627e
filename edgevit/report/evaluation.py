"""An evaluation as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from rich.table import Table

from edgevit.margin import centred, interval, margin
from edgevit.report.shortened import Shortened


def evaluation_table(evaluation: Mapping[str, Any]) -> Table:
    """One row a resolution of an `edgevit.evaluation/1` document, columns for each model; last, how sure top-1 is."""
    others = [evaluation["against"]] if "against" in evaluation else []
    others += evaluation.get("also_against", [])
    table = Table(title=f"{evaluation['images']} pictures of {evaluation['data']}", title_justify="left")
    table.add_column("resolution", justify="right")
    named = Counter(PurePath(model["model"]).name for model in (evaluation, *others))
    for model in (evaluation, *others):
        name = PurePath(model["model"]).name
        table.add_column(Shortened(f"{name if named[name] == 1 else model['model']}\ntop-1"), justify="right")
        table.add_column("\ntop-5", justify="right", no_wrap=True)
        if model is not evaluation:
            table.add_column("\nagreement", justify="right", no_wrap=True)
    for index, result in enumerate(evaluation["results"]):
        row = [str(result["resolution"]), f"{result['top1']:.2%}", f"{result['top5']:.2%}"]
        for each in others:
            other = each["results"][index]
            row += [f"{other['top1']:.2%}", f"{other['top5']:.2%}", f"{other['agreement']:.2%}"]
        table.add_row(*row)
    table.add_section()
    last, count = ["±"], evaluation["images"]
    for model in (evaluation, *others):
        widest = max((result["top1"] for result in model["results"]), key=lambda share: margin(share, count))
        low, high = interval(widest, count)
        last += [f"{margin(widest, count):.2%}" if centred(widest, count) else f"{low:.1%}–{high:.1%}", ""] + [""] * (
            model is not evaluation
        )
    table.add_row(*last)
    return table


def evaluation_notes(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """What ± means, and a line when pictures were left out."""
    yield (
        f"±: the 95 % interval of a top-1 counted on {evaluation['images']} pictures, where it is widest "
        "(its two ends where it is not centred); "
        "of two models on the same pictures the difference is surer than that"
    )
    if evaluation["skipped"]:
        files = evaluation["skipped_files"]
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        yield f"skipped {evaluation['skipped']} pictures that cannot be read: {', '.join(files[:3])}{more}"
