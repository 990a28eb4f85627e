"""An evaluation as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rich.table import Table

from edgevit.report.text import formatting
from edgevit.report.text.column_widths import Shortened
from edgevit.statistics import centred, interval, margin
from edgevit_runtime.wording import counted


def evaluation_table(evaluation: Mapping[str, Any]) -> Table:
    """One row a resolution of an `edgevit.evaluation/1` document, columns for each model; last, how sure top-1 is."""
    others, names = _others(evaluation), _names(evaluation)
    if evaluation.get("task", "classify") != "classify":
        return _neighbour_table(evaluation, others, names)
    table = Table(title=f"{counted(evaluation['images'], 'picture')} of {evaluation['data']}", title_justify="left")
    table.add_column("resolution", justify="right")
    for model, name in zip((evaluation, *others), names, strict=True):
        table.add_column(Shortened(f"{name}\ntop-1"), justify="right")
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


def _neighbour_table(evaluation: Mapping[str, Any], others: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Of features: top-1 by k nearest neighbours, with its 95 % interval."""
    found = "leave-one-out" if evaluation["gallery"] == "leave-one-out" else f"in {evaluation['gallery']}"
    title = f"{counted(evaluation['images'], 'picture')} of {evaluation['data']}: top-1 of {evaluation['neighbours']} "
    table = Table(title=f"{title}nearest neighbours, {found}", title_justify="left")
    table.add_column("resolution", justify="right")
    for model, name in zip((evaluation, *others), names, strict=True):
        table.add_column(Shortened(f"{name}\ntop-1"), justify="right")
        if model is not evaluation:
            table.add_column("\nagreement", justify="right", no_wrap=True)
    for index, result in enumerate(evaluation["results"]):
        row = [str(result["resolution"]), f"{result['knn_top1']:.2%} ± {result['knn_top1_margin']:.2%}"]
        for each in others:
            other = each["results"][index]
            row += [f"{other['knn_top1']:.2%} ± {other['knn_top1_margin']:.2%}", f"{other['agreement']:.2%}"]
        table.add_row(*row)
    return table


def drop_table(evaluation: Mapping[str, Any]) -> Table | None:
    """What each model loses against the first at each resolution, in points of top-1; None without another model."""
    others, names = _others(evaluation), _names(evaluation)
    if not others or evaluation.get("task", "classify") != "classify":
        return None
    table = Table(title=f"Points of top-1 lost against {names[0]}, and their 95 % interval", title_justify="left")
    table.add_column("resolution", justify="right")
    for name in names[1:]:
        table.add_column(Shortened(name), justify="right")
    for index, result in enumerate(evaluation["results"]):
        found = [each["results"][index] for each in others]
        cells = [formatting.lost(each["drop"], (each["drop_low"], each["drop_high"])) for each in found]
        table.add_row(str(result["resolution"]), *cells)
    return table


def _others(evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the first model was evaluated against."""
    return [*([evaluation["against"]] if "against" in evaluation else []), *evaluation.get("also_against", [])]


def _names(evaluation: Mapping[str, Any]) -> list[str]:
    """Of all models, the first one's first: file names, or paths where two have the same."""
    paths = [each["model"] for each in (evaluation, *_others(evaluation))]
    named = Counter(PurePath(path).name for path in paths)
    return [PurePath(path).name if named[PurePath(path).name] == 1 else path for path in paths]


def evaluation_notes(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """What ± means, and a line when pictures were left out."""
    classes = evaluation.get("task", "classify") == "classify"
    yield (
        f"±: the 95 % interval of a top-1 counted on {counted(evaluation['images'], 'picture')}, where it is widest "
        "(its two ends where it is not centred)"
    )
    if classes and "against" in evaluation:
        yield (
            "points lost: a gain is negative; the interval is paired, by the pictures on which only one of the two is "
            "right: two models on the same pictures are told apart better than each ± says"
        )
    if evaluation["skipped"]:
        files = evaluation["skipped_files"]
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        yield f"skipped {counted(evaluation['skipped'], 'picture')} that cannot be read: {', '.join(files[:3])}{more}"
