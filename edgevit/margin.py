"""How far a share that was counted on so many pictures may be off by chance."""

from __future__ import annotations

from math import sqrt

__all__ = ["centred", "interval", "margin"]

_Z = 1.959964
"""Standard deviations to either side that hold 95 % of a normal distribution."""


def margin(share: float, count: int) -> float:
    """Half the width of the 95 % interval of a share (0..1) of `count` pictures (Wilson 1927).

    Not the plain z·sqrt(p(1 - p) / n), which is 0 for a model that is right on all of its twelve pictures.
    """
    return _Z / (1.0 + _Z**2 / count) * sqrt(share * (1.0 - share) / count + _Z**2 / (4.0 * count**2))


def interval(share: float, count: int) -> tuple[float, float]:
    """The two ends of that interval, 0..1: its middle is not the share itself but lies towards one half."""
    middle = (share + _Z**2 / (2.0 * count)) / (1.0 + _Z**2 / count)
    half = margin(share, count)
    return max(0.0, middle - half), min(1.0, middle + half)


def centred(share: float, count: int) -> bool:
    """Whether `margin` to either side of the share stays within 0..1, so that `±` says what the ends say."""
    return margin(share, count) <= min(share, 1.0 - share)
