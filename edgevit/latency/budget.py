"""What a profile alone recommends within a latency budget, and what its curve would allow beside it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, sqrt
from typing import Any

from edgevit.errors import BudgetError
from edgevit.latency.curve import Curve
from edgevit.latency.point import Point
from edgevit.latency.recommendation import Choice, Surety, recommend
from edgevit.latency.reliability import SURE, Reliability
from edgevit_runtime.resolution import Resolution

__all__ = ["LatencyPrediction", "Recommendation", "nothing_fits", "predict", "predicted_resolution"]

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
    """The largest measured resolution within a budget, or `point` None where none is: see `recommendation`.

    What it is worth, nobody knows without an evaluation: `plan` and `report` put the two together.
    """

    budget_ms: float
    point: Point | None
    predicted: LatencyPrediction | None = None
    """A larger square, not measured, that the curve would allow. Never the recommendation itself."""
    in_time: bool = True
    """Whether the point's slow runs are within the budget, and not its median alone."""

    @classmethod
    def of(cls, points: tuple[Point, ...], budget_ms: float) -> Recommendation:
        found = recommend(points, budget_ms)
        return cls(budget_ms, found.taken, in_time=found.in_time)

    @property
    def state(self) -> Surety:
        return Choice(self.budget_ms, self.point, in_time=self.in_time).state

    def to_dict(self) -> dict[str, Any]:
        return {
            "budget_ms": self.budget_ms,
            **(self.point.resolution.to_fields() if self.point else {"resolution": None}),
            "median_ms": self.point.median_ms if self.point else None,
            "p90_ms": self.point.p90_ms if self.point else None,
            "p90_fits": self.point.p90_ms <= self.budget_ms if self.point else None,
            "p95_ms": self.point.p95_ms if self.point else None,
            "state": self.state,
            "predicted": self.predicted.to_dict() if self.predicted else None,
            **(self.point.trust.to_dict() if self.point else {}),
        }


def nothing_fits(points: tuple[Point, ...], budget_ms: float) -> BudgetError:
    """The error for a budget that no median is within; it names the fastest measured resolution."""
    fastest = min(points, key=lambda point: point.median_ms)
    trust = fastest.trust
    return BudgetError(
        f"no resolution fits {budget_ms:g} ms: the fastest, {fastest.resolution}, takes "
        f"{trust.mark}{fastest.median_ms:.3g} ms (median{f', {trust.reason}' if trust.reason else ''}); "
        "allow more, or use a smaller variant or larger patches"
    )


def predicted_resolution(
    points: tuple[Point, ...], curve: Curve, budget_ms: float, chosen: Point | None
) -> LatencyPrediction | None:
    """The largest square the curve allows that is larger than `chosen` and smaller than what was measured as too slow.

    Or up to `FURTHEST` times the side of the largest measured one; None where the patch leaves nothing in between.
    Its slow runs have to fit, too: they are taken to be as slow, beside the median, as those of any point.
    """
    tail = max(point.late_ms / point.median_ms for point in points)
    patch = points[0].patch
    low = chosen.resolution.pixels if chosen else 0
    too_slow = [point.resolution.pixels for point in points if point.resolution.pixels > low]
    side = isqrt(min(too_slow) - 1) if too_slow else int(FURTHEST * sqrt(low))
    side = side // patch * patch
    while side**2 > low:
        prediction = predict(points, curve, Resolution(side))
        if tail * prediction.predicted_ms <= budget_ms:
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
