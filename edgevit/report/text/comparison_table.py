"""Profiles side by side in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from edgevit.latency.comparison import Comparison
from edgevit.latency.point import TENTHS
from edgevit.report.text import formatting, marks
from edgevit.report.text.column_widths import letters
from edgevit_runtime.resolution import Resolution

__all__ = ["comparison_view"]

_ANY_WIDTH = 10_000
"""Columns of a terminal that nothing is too wide for."""


def comparison_view(comparison: Comparison) -> RenderableType:
    """A row a resolution, a pair of columns a profile: the median, and its ratio to the first profile's.

    Below them the geometric means, and the files' sizes. A ratio in brackets lies within the scatter of the runs; one
    that is slower than allowed is marked. Where the labels are too long for headings, letters stand for them.
    """
    return _View(comparison)


@dataclass(frozen=True)
class _View:
    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        labels = self.comparison.labels
        table = _table(self.comparison, labels)
        if Measurement.get(console, options.update_width(_ANY_WIDTH), table).maximum <= options.max_width:
            yield Group(table, *map(Text, _lines(self.comparison, labels[0])))
            return
        short = letters(len(labels))
        keys = [f"{letter}: {label}" for letter, label in zip(short, labels, strict=True)]
        lines = _lines(self.comparison, short[0])
        yield Group(_table(self.comparison, short), *map(Text, [*keys, *lines]))


def _table(comparison: Comparison, headings: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("res.", justify="right", no_wrap=True)
    for index, heading in enumerate(headings):
        table.add_column(f"{escape(heading)}\nms", justify="right", no_wrap=True)
        if index:
            table.add_column("ratio", justify="right", vertical="bottom", no_wrap=True)
    for resolution in comparison.resolutions:
        row = [str(resolution)]
        for index, profile in enumerate(comparison.profiles):
            point = profile.point(resolution)
            row.append("–" if point is None else f"{point.trust.mark}{formatting.ms(point.median_ms)}")
            if index:
                row.append(ratio(comparison, index, resolution))
        table.add_row(*row)
    whole = ["all"]
    for index in range(len(headings)):
        mean = comparison.ratio(index)
        whole += [""] if index == 0 else ["", "–" if mean is None else f"{mean:.2f}"]
    table.add_section()
    table.add_row(*whole)
    if any(profile.size_bytes for profile in comparison.profiles):
        sizes = [formatting.size(profile.size_bytes) for profile in comparison.profiles]
        table.add_row("MB", sizes[0], *(cell for each in sizes[1:] for cell in (each, "")))
    return table


def _lines(comparison: Comparison, first: str) -> list[str]:
    """What ratios, brackets and marks mean, and what was found slower; `first` is what the first profile is called."""
    lines, several = [], len(comparison.profiles) > 1
    points = [point for profile in comparison.profiles for point in profile.points]
    spread = marks.spread(points)
    if several:
        lines.append(
            f"Ratios are to {first}; in brackets: within the scatter ({spread}) of the runs; all: geometric mean."
        )
    if meanings := marks.marks(points):
        lines.append(f"{'; '.join(meanings)}: the report says more.")
    if comparison.limit is not None and several:
        slower = comparison.slower()
        verdict = f"{len(slower)} points are" if len(slower) > 1 else "one point is" if slower else "nothing is"
        lines.append(f"At most {100 * comparison.limit:g} % slower was allowed: {verdict} beyond that.")
        if any(point.spread != TENTHS for point in points):
            lines.append(f"Judged by {spread}: what is slower has to stand out further than by p10–p90.")
    return lines


def ratio(comparison: Comparison, index: int, resolution: Resolution) -> str:
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
