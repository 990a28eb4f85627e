"""Precision over recall: how many of the boxes that a model finds are right, where it finds so many of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit.report.charts.canvas import ROLES, SERIES, WIDE, drawable, frame, legend, style
from edgevit.report.precision_curves import ClassCurve, PrecisionCurves
from edgevit.report.text.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST_CURVES", "precision_figure"]

MOST_CURVES = len(SERIES)
"""More can hardly be told apart; the worst are shown."""
_HEIGHT = 4.0  # inches
_LEGEND_LINE = 0.2  # inches, below a narrow picture
LONGEST_LABEL = 32


def precision_figure(found: PrecisionCurves, width: float = WIDE) -> Figure:
    """A curve for each class, the worst first, with its average precision in the legend."""
    from matplotlib.figure import Figure

    shown = found.classes[:MOST_CURVES]
    with style():
        narrow = width < WIDE
        figure = Figure(figsize=(width, _HEIGHT + _LEGEND_LINE * len(shown) * narrow), layout="constrained")
        axes = figure.add_subplot()
        frame(axes, "recall, %", "precision, %")
        for curve, (role, _, line) in zip(shown, SERIES, strict=False):
            recalls, precisions = _until_lost(curve)
            name = f"{drawable(curve.label)[:LONGEST_LABEL]}  {percent(curve.average)}"
            axes.plot(recalls, precisions, color=ROLES[role], linestyle=line, linewidth=1.6, label=name)
        axes.set_xlim(0.0, 100.0)
        axes.set_ylim(0.0, 103.0)
        legend(axes, "best")
    return figure


def _until_lost(curve: ClassCurve) -> tuple[list[float], list[float]]:
    """Recalls and precisions in percent, down to the first recall that is never reached: from there on all are 0."""
    end = next((index for index, each in enumerate(curve.precisions) if each == 0.0), len(curve.precisions) - 1)
    step = 100.0 / (len(curve.precisions) - 1)
    precisions = [100.0 * each for each in curve.precisions[: end + 1]]
    return [index * step for index in range(end + 1)], precisions
