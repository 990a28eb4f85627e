"""Profiles side by side in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.latency.comparison import Comparison
from edgevit.report import words
from edgevit.report.shortened import Shortened

__all__ = ["comparison_view"]


def comparison_view(comparison: Comparison) -> RenderableType:
    """A row a resolution, a pair of columns a profile: the median, and its ratio to the first profile's.

    Below them the geometric means, and the files' sizes. A ratio in brackets lies within the scatter of the runs; one
    that is slower than allowed is marked.
    """
    labels = comparison.labels
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("res.", justify="right", no_wrap=True)
    for index, label in enumerate(labels):
        table.add_column(Shortened(f"{label}\nms"), justify="right")
        if index:
            table.add_column("ratio", justify="right", vertical="bottom", no_wrap=True)
    for resolution in comparison.resolutions:
        row = [str(resolution)]
        for index, profile in enumerate(comparison.profiles):
            point = profile.point(resolution)
            row.append("–" if point is None else f"{words.mark(point)}{words.ms(point.median_ms)}")
            if index:
                row.append(ratio(comparison, index, resolution))
        table.add_row(*row)
    whole = ["all"]
    for index in range(len(labels)):
        mean = comparison.ratio(index)
        whole += [""] if index == 0 else ["", "–" if mean is None else f"{mean:.2f}"]
    table.add_section()
    table.add_row(*whole)
    if any(profile.size_bytes for profile in comparison.profiles):
        sizes = [words.size(profile.size_bytes) for profile in comparison.profiles]
        table.add_row("MB", sizes[0], *(cell for each in sizes[1:] for cell in (each, "")))
    lines = []
    if len(labels) > 1:
        lines.append(
            f"Ratios are to {labels[0]}; in brackets: within the scatter (p10–p90) of the runs; all: geometric mean."
        )
    if marks := words.marks(point for profile in comparison.profiles for point in profile.points):
        lines.append(f"{'; '.join(marks)}: the report says more.")
    if comparison.limit is not None and len(labels) > 1:
        slower = comparison.slower()
        verdict = f"{len(slower)} points are" if len(slower) > 1 else "one point is" if slower else "nothing is"
        lines.append(f"At most {100 * comparison.limit:g} % slower was allowed: {verdict} beyond that.")
    return Group(table, *map(Text, lines))


def ratio(comparison: Comparison, index: int, resolution: int) -> str:
    """The ratio as text; `!` where it is slower than allowed."""
    found = comparison.at(index, resolution)
    if found is None:
        return "–"
    text = f"{found.ratio:.2f}"
    overlap = max(found.base.p10_ms, found.point.p10_ms) <= min(found.base.p90_ms, found.point.p90_ms)
    if overlap and not found.apart:
        text = f"({text})"
    late = comparison.limit is not None and found.slower_by(comparison.limit)
    return f"{text} !" if late else text
