"""How far a share, or the difference of two, that was counted on so many pictures may be off by chance."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Z_95",
    "centred",
    "interval",
    "lost",
    "margin",
    "mean_margin",
    "paired_interval",
    "paired_mean_interval",
    "unpaired_interval",
]

Z_95 = 1.959964
"""Standard deviations to either side that hold 95 % of a normal distribution."""


def margin(share: float, count: int) -> float:
    """Half the width of the 95 % interval of a share (0..1) of `count` pictures."""
    low, high = _wilson(round(share * count), count)
    return (high - low) / 2.0


def interval(share: float, count: int) -> tuple[float, float]:
    """The two ends of that interval, 0..1: its middle is not the share itself but lies towards one half."""
    return _wilson(round(share * count), count)


@lru_cache(maxsize=4096)
def _wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson 1927.

    Not the plain z·sqrt(p(1 - p) / n), which is 0 wide for a model that is right on all of its twelve pictures.
    """
    from scipy.stats import binomtest  # a second, which only those pay who evaluated something

    found = binomtest(right, count).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)


def centred(share: float, count: int) -> bool:
    """Whether `margin` to either side of the share stays within 0..1, so that `±` says what the ends say."""
    return margin(share, count) <= min(share, 1.0 - share)


def paired_interval(only_first: int, only_second: int, count: int) -> tuple[float, float]:
    """The two ends, -1..1, of the 95 % interval of the first's share right less the second's, on the same pictures.

    `only_first`, `only_second`: on how many of `count` the one is right and the other is not; the rest tells nothing
    of the difference. Wald's interval with half a picture more in each of the four cells (Agresti and Min 2005), as
    the plain one promises a difference of exactly 0 where no picture changed sides. scipy has none for pairs.
    """
    all_of_them = count + 2.0
    difference = (only_first - only_second) / all_of_them
    half = Z_95 * sqrt((only_first + only_second + 1.0) / all_of_them - difference**2) / sqrt(all_of_them)
    return max(-1.0, difference - half), min(1.0, difference + half)


def paired_mean_interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The two ends of the 95 % interval of a mean of differences, [n], one a picture.

    Percentiles of the bootstrap (Efron 1979): for metrics to which a picture contributes more than right or wrong.
    The same differences give the same ends. One picture tells nothing: -1 and 1.
    """
    if len(differences) < 2:
        return -1.0, 1.0
    from scipy.stats import bootstrap

    found = bootstrap((differences,), _mean, method="percentile", n_resamples=4000, batch=100, rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def lost(first: float, other: float, differences: NDArray[np.float64]) -> dict[str, float | None]:
    """`drop`, what `other` is below `first`, and the ends of its paired 95 % interval.

    differences: of what each picture contributes to the two, [n]. All None where both are 0: what is never right has
    nothing to lose, and says nothing of whether it would.
    """
    if not first and not other:
        return {"drop": None, "drop_low": None, "drop_high": None}
    low, high = paired_mean_interval(differences)
    return {"drop": first - other, "drop_low": low, "drop_high": high}


def mean_margin(values: NDArray[np.float64]) -> float | None:
    """Half the width of the 95 % interval of a mean of values, [n], one a picture; None of fewer than two.

    Student's t: of jackknife pseudo-values that is the interval of Tukey 1958.
    """
    if len(values) < 2:
        return None
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / sqrt(len(values)))


def _mean(values: Any, axis: int = -1) -> Any:
    return values.mean(axis=axis)


def unpaired_interval(first: float, second: float, counts: tuple[int, int]) -> tuple[float, float]:
    """The two ends of the 95 % interval of `first - second`, two shares counted on so many pictures each.

    Newcombe 1998 ("Interval estimation for the difference between independent proportions"), method 10, of Wilson's
    ends. Of two models on the same pictures it is wider than `paired_interval`, which needs to know what each
    picture contributed.
    """
    low, high = interval(first, counts[0])
    other_low, other_high = interval(second, counts[1])
    below, above = (
        sqrt((first - low) ** 2 + (other_high - second) ** 2),
        sqrt((high - first) ** 2 + (second - other_low) ** 2),
    )
    return max(-1.0, first - second - below), min(1.0, first - second + above)
