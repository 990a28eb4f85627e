"""Figures as text: written the same way in the terminal, in the picture and in the HTML."""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.picture_record import Accuracy
from edgevit_runtime.wording import counted

__all__ = [
    "accuracies",
    "accuracy",
    "lost",
    "mega",
    "ms",
    "not_told",
    "percent",
    "size",
]


def ms(value: float) -> str:
    """Milliseconds with three significant digits: 0.453, 2.04, 12.0, 142."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def percent(fraction: float, digits: int = 0) -> str:
    """A fraction 0..1 as percent."""
    return f"{100 * fraction:.{digits}f} %"


def accuracy(found: Accuracy, *, ends: bool = False) -> str:
    """A metric and its 95 % interval: `82.5 % ± 12` in points, or the two ends where that is not centred,
    `0.0 % (0.0–49.0 %)`; alone where nobody knows how far it may be off.

    ends: the two ends in any case, beside others that have them.
    """
    if found.interval is None:
        return percent(found.share, 1)
    low, high = found.interval
    if ends or not _centred(found):
        return f"{percent(found.share, 1)} ({100 * low:.1f}–{percent(high, 1)})"
    points = 50 * (high - low)
    return f"{percent(found.share, 1)} ± {points:.{0 if points >= 9.95 else 1}f}"


def accuracies(found: Sequence[Accuracy]) -> list[str]:
    """Several, that are read beside each other: all in one form, with the two ends where one of them needs those."""
    ends = not all(map(_centred, found))
    return [accuracy(each, ends=ends) for each in found]


def _centred(found: Accuracy) -> bool:
    """Whether half the interval's width to either side stays within 0..1, so that `±` says what the ends say."""
    if found.interval is None:
        return True
    low, high = found.interval
    return (high - low) / 2.0 <= min(found.share, 1.0 - found.share)


def not_told(count: int) -> str:
    """The beginning of a sentence: `500 pictures do not tell`."""
    return f"{counted(count, 'picture')} {'does' if count == 1 else 'do'} not tell"


def lost(drop: float | None, ends: tuple[float, float] | None = None) -> str:
    """Points of a metric lost, a gain negative, with the ends of their 95 % interval: `0.31 (-0.16 to 0.77)`.

    A dash where it is not known: of two models that are never right.
    """
    if drop is None:
        return "–"
    points = [f"{round(100 * each, 2) + 0.0:.2f}" for each in (drop, *(ends or ()))]  # + 0.0: no -0.00
    return f"{points[0]} ({points[1]} to {points[2]})" if ends else points[0]


def mega(value: float) -> str:
    """Millions, for MACs and bytes: 1.25, 53.7, 1240."""
    millions = value / 1e6
    return f"{millions:.0f}" if millions >= 100 else f"{millions:.1f}" if millions >= 10 else f"{millions:.2f}"


def size(size_bytes: int | None) -> str:
    """A file's megabytes (10⁶ bytes), as `edgevit inspect` has them."""
    return "–" if size_bytes is None else f"{size_bytes / 1e6:.2f}"
