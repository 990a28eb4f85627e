"""The largest resolution under a latency budget."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, sqrt
from typing import Any

from edgevit.errors import BudgetError
from edgevit.latency.curve import Curve
from edgevit.latency.point import Point
from edgevit.latency.reliability import SURE, Reliability
from edgevit_runtime.resolution import Resolution

__all__ = ["LatencyPrediction", "Recommendation", "predicted_resolution", "recommend"]

FURTHEST = 1.5
"""How far beyond the largest measured resolution the curve is believed: past that it is a guess."""


@dataclass(frozen=True)
class LatencyPrediction:
    """What the curve says of a resolution that was not run."""

    resolution: Resolution
    tokens: int
    predicted_ms: float
    extrapolated: bool
    """Whether it has fewer or more tokens than any that was measured."""
    trust: Reliability = SURE
    """What speaks against any of the points that the curve was fitted to."""

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.resolution.to_fields(),
            "tokens": self.tokens,
            "predicted_ms": self.predicted_ms,
            "extrapolated": self.extrapolated,
            **self.trust.to_dict(),
        }


@dataclass(frozen=True)
class Recommendation:
    """The largest measured resolution whose median latency fits, or `point` None where none does.

    The median, because it is what the curve fits and what repeats from run to run; `point.p90_ms` tells what
    the slowest tenth takes, and who must meet every frame's deadline should hold that against the budget.
    """

    budget_ms: float
    point: Point | None
    predicted: LatencyPrediction | None = None
    """A larger square, not measured, that the curve would allow. Never the recommendation itself."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "budget_ms": self.budget_ms,
            **(self.point.resolution.to_fields() if self.point else {"resolution": None}),
            "median_ms": self.point.median_ms if self.point else None,
            "p90_ms": self.point.p90_ms if self.point else None,
            "p90_fits": self.point.p90_ms <= self.budget_ms if self.point else None,
            "predicted": self.predicted.to_dict() if self.predicted else None,
            **(self.point.trust.to_dict() if self.point else {}),
        }


def recommend(points: tuple[Point, ...], budget_ms: float) -> Recommendation:
    """The largest resolution whose median is at most `budget_ms`: that of most tokens, the fastest of equal ones.

    Raises `BudgetError`, which names the fastest measured resolution, where none is.
    """
    fitting = [point for point in points if point.median_ms <= budget_ms]
    if not fitting:
        fastest = min(points, key=lambda point: point.median_ms)
        trust = fastest.trust
        raise BudgetError(
            f"no resolution fits {budget_ms:g} ms: the fastest, {fastest.resolution}, takes "
            f"{trust.mark}{fastest.median_ms:.3g} ms (median{f', {trust.reason}' if trust.reason else ''}); "
            "allow more, or use a smaller variant or larger patches"
        )
    return Recommendation(budget_ms, max(fitting, key=lambda point: (point.tokens, -point.median_ms)))


def predicted_resolution(
    points: tuple[Point, ...], curve: Curve, budget_ms: float, chosen: Point | None
) -> LatencyPrediction | None:
    """The largest square the curve allows that is larger than `chosen` and smaller than what was measured as too slow.

    Or up to `FURTHEST` times the side of the largest measured one; None where the patch leaves nothing in between.
    """
    patch = points[0].patch
    low = chosen.resolution.pixels if chosen else 0
    too_slow = [point.resolution.pixels for point in points if point.resolution.pixels > low]
    side = isqrt(min(too_slow) - 1) if too_slow else int(FURTHEST * sqrt(low))
    side = side // patch * patch
    while side**2 > low:
        prediction = predict(points, curve, Resolution(side))
        if prediction.predicted_ms <= budget_ms:
            return prediction
        side -= patch
    return None


def predict(points: tuple[Point, ...], curve: Curve, resolution: Resolution) -> LatencyPrediction:
    """The curve's latency at a resolution whose width and height the points' patch divides."""
    tokens = resolution.pixels // points[0].patch ** 2 + points[0].prefix
    measured = [point.tokens for point in points]
    outside = not min(measured) <= tokens <= max(measured)
    trust = Reliability.of_all(point.trust for point in points)
    return LatencyPrediction(resolution, tokens, curve.predict(tokens), outside, trust)
