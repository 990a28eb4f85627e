"""An evaluation as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.report.text import formatting
from edgevit.report.text.column_widths import Lettered
from edgevit.report.text.permuted_classes import permuted
from edgevit.report.text.training_tables import MOST_CLASSES, on_one_line
from edgevit.skipped_pictures import skipped_line
from edgevit.statistics import centred, interval, margin
from edgevit.tasks import TASKS, Task
from edgevit.tasks.task import Figure
from edgevit_runtime.preprocess.picture_folders import left_out_line
from edgevit_runtime.wording import counted


def evaluation_view(evaluation: Mapping[str, Any]) -> RenderableType:
    """The table of an evaluation, and below it what each model loses against the first, where there are others.

    Letters stand for the models where their names are too wide for headings: what is cut out of a name may be what
    tells two apart.
    """
    names = _names(evaluation)
    tables: list[RenderableType] = [Lettered(partial(evaluation_table, evaluation), names)]
    if _has_drops(evaluation):
        tables.append(Lettered(partial(drop_table, evaluation), names))
    return Group(*tables)


def evaluation_table(evaluation: Mapping[str, Any], names: Sequence[str] | None = None) -> Table:
    """One row a resolution of an `edgevit.evaluation/1` document, columns for each model; last, how sure they are.

    names: what the models are called, the first one's first.
    """
    task, others, names = _task(evaluation), _others(evaluation), names or _names(evaluation)
    judged = f": {by}" if (by := task.judged_by(evaluation)) else ""
    title = f"{counted(evaluation['images'], 'picture')} of {evaluation.get('judged_on', evaluation['data'])}{judged}"
    figures = _figures(evaluation)
    table = Table(title=title, title_justify="left")
    table.add_column("resolution", justify="right")
    for model, name in zip((evaluation, *others), names, strict=True):
        for number, figure in enumerate(figures):
            heading = Text(f"{'' if number else name}\n{figure.heading}")
            table.add_column(heading, justify="right", no_wrap=True)
        if model is not evaluation:
            table.add_column("\nagreement", justify="right", no_wrap=True)
    for index, result in enumerate(evaluation["results"]):
        row = [str(result["resolution"])]
        for model in (evaluation, *others):
            found = model["results"][index]
            row += [_share(found[figure.key]) for figure in figures]
            if model is not evaluation:
                row.append(_share(found["agreement"]))
        table.add_row(*row)
    if not _counts_pictures(evaluation):
        return table
    table.add_section()
    last, count = ["±"], evaluation["images"]
    for model in (evaluation, *others):
        widest = max((result[task.metric] for result in model["results"]), key=lambda share: margin(share, count))
        low, high = interval(widest, count)
        last.append(f"{margin(widest, count):.2%}" if centred(widest, count) else f"{low:.1%}–{high:.1%}")
        last += [""] * (len(figures) - 1 + (model is not evaluation))
    table.add_row(*last)
    return table


def _share(value: float | None) -> str:
    """Of boxes of a size, say, of which there are none, there is no figure."""
    return "–" if value is None else f"{value:.2%}"


def _figures(evaluation: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Those that say something: with five classes or fewer, one of the first five is always right."""
    says_nothing = evaluation.get("classes", 6) <= 5
    return tuple(each for each in _task(evaluation).figures if not (says_nothing and each.key == "top5"))


def _task(evaluation: Mapping[str, Any]) -> type[Task]:
    return TASKS[evaluation.get("task", "classify")]


def _counts_pictures(evaluation: Mapping[str, Any]) -> bool:
    """Whether the metric is a share of the pictures, which has a binomial interval."""
    return f"{_task(evaluation).metric}_margin" in evaluation["results"][0]


def _has_drops(evaluation: Mapping[str, Any]) -> bool:
    """Whether there is another model, and a paired loss of it."""
    others = _others(evaluation)
    return bool(others) and "drop" in others[0]["results"][0]


def drop_table(evaluation: Mapping[str, Any], names: Sequence[str]) -> Table:
    """What each model loses against the first at each resolution, in points."""
    others = _others(evaluation)
    table = Table(
        title=f"Points of {_task(evaluation).figures[0].heading} lost against {names[0]}, and their 95 % interval",
        title_justify="left",
    )
    table.add_column("resolution", justify="right")
    for name in names[1:]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for index, result in enumerate(evaluation["results"]):
        found = [each["results"][index] for each in others]
        cells = [formatting.lost(each["drop"], (each["drop_low"], each["drop_high"])) for each in found]
        table.add_row(str(result["resolution"]), *cells)
    return table


def by_class_table(evaluation: Mapping[str, Any]) -> Table | None:
    """How good the first model is at each class, the worst first; None for one class, or where it is not known."""
    rows = evaluation.get("by_class", {}).get("classes", ())
    if len(rows) < 2:
        return None
    where = f"{_names(evaluation)[0]} at {evaluation['by_class']['resolution']} px"
    table = Table(title=f"by class, the worst first: {where}", title_justify="left", caption_justify="left")
    table.add_column("class", overflow="fold")
    for header in ("pictures", "recall", "precision"):
        table.add_column(header, justify="right")
    table.add_column("mostly taken for", overflow="fold")
    for row in rows[:MOST_CLASSES]:
        precision = "–" if row["precision"] is None else f"{row['precision']:.1%}"
        taken = f"{row['taken_for']} ({row['taken_for_pictures']})" if row["taken_for_pictures"] else ""
        cells = (Text(on_one_line(row["label"])), str(row["pictures"]), f"{row['recall']:.1%}", precision)
        table.add_row(*cells, Text(on_one_line(taken)))
    if len(rows) > MOST_CLASSES:
        table.caption = Text(f"{len(rows) - MOST_CLASSES} more: --json FILE has them all")
    return table


def _others(evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the first model was evaluated against."""
    return [*([evaluation["against"]] if "against" in evaluation else []), *evaluation.get("also_against", [])]


def _names(evaluation: Mapping[str, Any]) -> list[str]:
    """Of all models, the first one's first: file names, or paths where two have the same."""
    paths = [each["model"] for each in (evaluation, *_others(evaluation))]
    named = Counter(PurePath(path).name for path in paths)
    return [PurePath(path).name if named[PurePath(path).name] == 1 else path for path in paths]


def mistake_lines(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """The worst confusions and the pictures on which the first two models differ, where they were asked for."""
    found = evaluation.get("mistakes")
    if not found:
        return
    names, where = _names(evaluation), f"at {found['resolution']}"
    if "worst" in found:
        yield from _worst_lines(found, names, where)
        return
    if not found["confusions"]:
        yield f"{names[0]} is right on every picture {where}"
    for each in found["confusions"]:
        files = ", ".join(picture["file"] for picture in each["pictures"])
        yield f"{each['label']} taken for {each['taken_for']} {each['count']} of {each['of']} times {where}: {files}"
    if "differing" in found:
        differing = found["differing"]
        yield f"{names[0]} and {names[1]} name different classes of {counted(differing['count'], 'picture')} {where}"
        for each in differing["pictures"]:
            yield f"  {each['file']} ({each['label']}): {each['first']}, {each['second']}"


def _worst_lines(found: Mapping[str, Any], names: Sequence[str], where: str) -> Iterator[str]:
    """The pictures that are worst, and those on which two models differ most, with the figure of each model."""
    yield f"{found['figure']} of the pictures on which {names[0]} does worst {where}:"
    for each in found["worst"]["pictures"]:
        yield f"  {each['file']}: {each['first']:.1%}"
    if found.get("differing", {}).get("pictures"):
        yield f"where {names[0]} and {names[1]} differ most {where}:"
        for each in found["differing"]["pictures"]:
            yield f"  {each['file']}: {each['first']:.1%}, {each['second']:.1%}"


def evaluation_notes(evaluation: Mapping[str, Any]) -> Iterator[str]:
    """What ± means, what was assumed, and a line when pictures were left out."""
    if _counts_pictures(evaluation):
        yield (
            f"±: the 95 % interval of a {_task(evaluation).figures[0].heading} counted on "
            f"{counted(evaluation['images'], 'picture')}, where it is widest (its two ends where it is not centred)"
        )
    if line := permuted(evaluation.get("by_class", {}).get("classes", ())):
        yield on_one_line(line)
    if (threshold := evaluation.get("threshold")) is not None:
        parts = ", ".join(map(_answered, evaluation["results"]))
        yield f"none of the classes below a score of {threshold:.3g}: at {parts}"
    if _has_drops(evaluation):
        by = (
            "by the pictures on which only one of the two is right: two models on the same pictures are told apart "
            "better than each ± says"
            if _counts_pictures(evaluation)
            else "by what each picture adds to either"
        )
        yield f"points lost: a gain is negative; the interval is paired, {by}"
    if evaluation["skipped"]:
        reasons = evaluation.get("skipped_reasons", {})
        named = {file: reasons.get(file, "") for file in evaluation["skipped_files"]}
        yield skipped_line(named, left_to=": --json FILE has all")
    if unread := evaluation.get("unread_classes"):
        yield f"no picture could be read of: {', '.join(map(on_one_line, unread))}"
    if line := left_out_line(evaluation.get("left_out", {})):
        yield line
    yield from map(on_one_line, evaluation.get("assumed", ()))


def _answered(result: Mapping[str, Any]) -> str:
    """`224 px: 91.2 % of the pictures are answered, 97.1 % of them rightly`"""
    right = (
        "" if result["top1_answered"] is None else f", {formatting.percent(result['top1_answered'], 1)} of them rightly"
    )
    return f"{result['resolution']} px: {formatting.percent(result['answered'], 1)} of the pictures are answered{right}"
