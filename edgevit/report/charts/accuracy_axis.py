"""Accuracies on an upright axis: with their error bars, and so that noise looks like noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from edgevit.statistics import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars", "span_accuracies"]

WIDEST_BAR = 0.2
"""What the widest error bar may take of the axis: an axis that ends at the points would make hills of chance."""


def bars(shares: Sequence[float], count: int | None) -> tuple[list[float], list[float]] | None:
    """How far the 95 % intervals reach below and above shares (0..1), in percent; None where the count is unknown."""
    if count is None:
        return None
    ends = [interval(share, count) for share in shares]
    below = [max(0.0, 100.0 * (share - low)) for share, (low, _) in zip(shares, ends, strict=True)]
    above = [max(0.0, 100.0 * (high - share)) for share, (_, high) in zip(shares, ends, strict=True)]
    return below, above


def span_accuracies(axes: Axes, accuracies: Iterable[tuple[float, int | None]]) -> None:
    """Sets the axis, in percent, for shares (0..1) and on how many pictures each was counted."""
    ends = [(share, share) if count is None else interval(share, count) for share, count in accuracies]
    lowest, highest = 100.0 * min(low for low, _ in ends), 100.0 * max(high for _, high in ends)
    widest = 100.0 * max(high - low for low, high in ends)
    span = min(100.0, max(1.1 * (highest - lowest), widest / WIDEST_BAR, 2.0))
    middle = (lowest + highest) / 2.0
    # What does not fit above 100 % is given below, and the other way round.
    low = min(max(0.0, middle - span / 2.0), max(0.0, 100.0 - span))
    axes.set_ylim(low - 0.01 * span, min(low + span, 100.0) + 0.02 * span)
