"""Accuracies on an upright axis: with their error bars, and so that noise looks like noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from edgevit.picture_record import Accuracy, Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars", "span_accuracies", "title"]

WIDEST_BAR = 0.2
"""What the widest error bar may take of the axis: an axis that ends at the points would make hills of chance."""


def bars(found: Sequence[Accuracy]) -> tuple[list[float], list[float]] | None:
    """How far the 95 % intervals reach below and above, in percent; None where one of them is unknown."""
    if any(each.interval is None for each in found):
        return None
    below = [max(0.0, 100.0 * (each.share - _ends(each)[0])) for each in found]
    above = [max(0.0, 100.0 * (_ends(each)[1] - each.share)) for each in found]
    return below, above


def _ends(found: Accuracy) -> tuple[float, float]:
    """Those of its interval, or itself where that is unknown."""
    return found.interval or (found.share, found.share)


def span_accuracies(axes: Axes, found: Iterable[Accuracy]) -> None:
    """Sets the axis, in percent."""
    ends = [_ends(each) for each in found]
    lowest, highest = 100.0 * min(low for low, _ in ends), 100.0 * max(high for _, high in ends)
    widest = 100.0 * max(high - low for low, high in ends)
    span = min(100.0, max(1.1 * (highest - lowest), widest / WIDEST_BAR, 2.0))
    middle = (lowest + highest) / 2.0
    # What does not fit above 100 % is given below, and the other way round.
    low = min(max(0.0, middle - span / 2.0), max(0.0, 100.0 - span))
    axes.set_ylim(low - 0.01 * span, min(low + span, 100.0) + 0.02 * span)


def title(metric: Metric, found: Iterable[Accuracy]) -> str:
    """What stands beside the axis: `top-1 accuracy, % (bars: 95 % interval)`."""
    known = any(each.interval is not None for each in found)
    return f"{metric.title}, %{' (bars: 95 % interval)' if known else ''}"
