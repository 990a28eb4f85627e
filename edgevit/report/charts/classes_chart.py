"""A training run's figure of each class, such as its intersection over union, as bars: the worst on top."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from edgevit.report.charts.canvas import ROLES, WIDE, drawable, frame, png, style
from edgevit.report.class_figures import ClassFigures
from edgevit.report.text.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["classes_figure", "classes_png"]

MOST_BARS = 60
LONGEST_NAME = 32
_BAR, _REST = 0.28, 1.2  # inches: a bar, and what stands above and below them all


def classes_png(document: Mapping[str, Any], found: ClassFigures) -> bytes:
    """`classes_figure` as PNG."""
    return png(classes_figure(document, found))


def classes_figure(document: Mapping[str, Any], found: ClassFigures) -> Figure:
    """A bar for each class with its figure in percent; of more than `MOST_BARS` the worst."""
    from matplotlib.figure import Figure

    rows = found.rows[:MOST_BARS]
    with style():
        figure = Figure(figsize=(WIDE, _REST + _BAR * len(rows)), layout="constrained")
        title = f"{PurePath(document['model']).name} at {found.resolution} px: {found.heading} of each {found.noun}"
        if len(rows) < len(found.rows):
            title += f", the worst {len(rows)} of {len(found.rows)}"
        figure.suptitle(drawable(title), x=0.012, ha="left", color=ROLES["ink"], fontsize=10.5, weight="bold")
        axes = figure.add_subplot()
        frame(axes, f"{found.heading} on the validation pictures, %", "")
        axes.grid(visible=False, axis="y")
        axes.barh(range(len(rows)), [100.0 * (share or 0.0) for _, share in rows], color=ROLES["linear"], height=0.65)
        for place, (_, share) in enumerate(rows):
            axes.annotate(
                "in no picture" if share is None else percent(share, 1),
                (100.0 * (share or 0.0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                color=ROLES["ink"],
                fontsize=8.5,
            )
        axes.set_yticks(range(len(rows)), [_name(label, place) for place, (label, _) in enumerate(rows)])
        axes.tick_params(axis="y", labelcolor=ROLES["ink"], length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0.0, 112.0)  # room for the figure beside a full bar
        axes.set_xticks(range(0, 101, 20))
    return figure


def _name(label: str, place: int) -> str:
    """As it can be drawn."""
    left = drawable(label) or str(place)
    return left if len(left) <= LONGEST_NAME else f"{left[: LONGEST_NAME - 1]}…"
