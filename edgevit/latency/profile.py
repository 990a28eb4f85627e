"""The profile: points measured on a device, the curve through them, and what they recommend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgevit.config import check_resolution
from edgevit.errors import BudgetError, EdgeViTError, ProfileError
from edgevit.latency.budget import (
    LatencyPrediction,
    Recommendation,
    nothing_fits,
    predict,
    predicted_resolution,
)
from edgevit.latency.curve import Curve, fit
from edgevit.latency.measuring_conditions import Cooling
from edgevit.latency.point import Point, common_patch
from edgevit.latency.processors.estimate_basis import EstimateBasis
from edgevit.latency.sustained_run import Sustained
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.wording import counted

__all__ = ["SCHEMA", "Profile", "unmet"]

SCHEMA = "edgevit.profile/1"


@dataclass(frozen=True)
class Profile:
    """A whole edgevit.profile/1 document; points ascend by resolution, and so by tokens."""

    device: Mapping[str, Any]
    """The machine and the interpreter, as the runtime describes them."""
    model: str
    """The artefact's path."""
    recipe: str
    threads: int
    """How many the interpreter was given."""
    points: tuple[Point, ...]
    accelerator: str = "cpu"
    """`cpu` or `gpu`: what ran it; a GPU's latency has nothing to do with the number of threads."""
    variant: str | None = None
    task: str | None = None
    """Whose signatures were timed; None in documents of older versions."""
    load_ms: float | None = None
    size_bytes: int | None = None
    """The artefact's file."""
    sha256: str | None = None
    """Of the artefact's file, in hexadecimal; None in documents of older versions."""
    measured_at: str | None = None
    """ISO 8601, UTC."""
    edgevit: str | None = None
    """The version that measured."""
    curve: Curve | None = None
    curve_note: str | None = None
    """Why there is no curve."""
    recommendation: Recommendation | None = None
    predictions: tuple[LatencyPrediction, ...] = ()
    unanswered: tuple[EdgeViTError, ...] = ()
    """Why resolutions that were asked for cannot be predicted: to be raised once the rest has been shown (`unmet`)."""
    over_budget: BudgetError | None = None
    """Where no resolution fits the budget, on any number of threads: likewise."""
    cpus: str | None = None
    """The processors it was kept on, such as `4-7`; None: it could use all of them."""
    gpu_not_used: str | None = None
    """Why the GPU was not measured, where it was asked for."""
    cooling: Cooling | None = None
    sustained: Sustained | None = None
    estimate: EstimateBasis | None = None
    """How the figures were estimated (`edgevit.latency.processors`); None where they were measured."""
    others: tuple[Profile, ...] = ()
    """The same artefact, measured in turns with this one on other numbers of threads, or on the GPU."""

    def __post_init__(self) -> None:
        common_patch(self.points)
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.resolution)))

    @property
    def runs_on(self) -> str:
        """For people: `4 threads`, or `GPU`."""
        return "GPU" if self.accelerator == "gpu" else counted(self.threads, "thread")

    @property
    def patch(self) -> int:
        return common_patch(self.points)

    @property
    def place(self) -> str:
        """What the device is: its board or processor, or else its name."""
        names = (self.device.get(key) for key in ("model", "cpu", "name"))
        return next((str(name) for name in names if name), "this device")

    @property
    def obtained(self) -> str:
        """How its latencies were come by: `measured`, or `estimated` for a device that was not there."""
        return "estimated" if self.estimate else "measured"

    @property
    def device_name(self) -> str:
        """How the device was reached: `local`, `ssh://pi`; nothing where the document does not say."""
        return str(self.device.get("name") or "")

    def point(self, resolution: Resolution) -> Point | None:
        """What was measured at a resolution; None where nothing was."""
        return next((point for point in self.points if point.resolution == resolution), None)

    @property
    def series(self) -> tuple[Profile, ...]:
        """A profile for each number of threads: this one, then the others."""
        return (self, *self.others)

    def fitted(self) -> Profile:
        """A copy with the curve through the points, or a note why there is none."""
        points = self.points
        try:
            counts, medians = [point.tokens for point in points], [point.median_ms for point in points]
            curve = fit(counts, medians, [point.resolution for point in points])
        except ProfileError as error:
            return replace(self, curve=None, curve_note=str(error))
        return replace(self, curve=curve, curve_note=None)

    def within(self, budget_ms: float) -> Profile:
        """A copy with the recommendation for a budget, for each number of threads, or `over_budget`."""
        others = tuple(each.within(budget_ms) for each in self.others)
        recommendation, over_budget = Recommendation.of(self.points, budget_ms), None
        if recommendation.point is None and all(each.over_budget for each in others):
            over_budget = nothing_fits(self.points, budget_ms)
        if self.curve:
            predicted = predicted_resolution(self.points, self.curve, budget_ms, recommendation.point)
            recommendation = replace(recommendation, predicted=predicted)
        return replace(self, recommendation=recommendation, over_budget=over_budget, others=others)

    def predicting(self, resolutions: Iterable[ResolutionLike]) -> Profile:
        """A copy with the curve's latency at `resolutions`; an error in `unanswered` for each it cannot tell."""
        predictions, unanswered, wanted = [], [], [as_resolution(each) for each in resolutions]
        for resolution in wanted:
            try:
                check_resolution(resolution, self.patch)
                if self.curve is None:
                    raise ProfileError(f"cannot predict {resolution}: {self.curve_note}")
                predictions.append(predict(self.points, self.curve, resolution))
            except EdgeViTError as error:
                unanswered.append(error)
        others = tuple(each.predicting(wanted) for each in self.others)
        return replace(self, predictions=tuple(predictions), unanswered=tuple(unanswered), others=others)

    def to_dict(self) -> dict[str, Any]:
        """The document, as `edgevit profile --json` prints it."""
        document = {
            "schema": SCHEMA,
            "edgevit": self.edgevit,
            "measured_at": self.measured_at,
            "device": dict(self.device),
            "model": self.model,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "variant": self.variant,
            "patch": self.patch,
            "recipe": self.recipe,
            "task": self.task,
            "threads": self.threads,
            "accelerator": self.accelerator,
            "cpus": self.cpus,
            **self._measured(),
        }
        if self.gpu_not_used:
            document["gpu_not_used"] = self.gpu_not_used
        if self.estimate is not None:
            document["estimate"] = self.estimate.to_dict()
        if self.cooling:
            document["cooling"] = self.cooling.to_dict()
        if self.others:
            document["series"] = [
                {"threads": each.threads, "accelerator": each.accelerator, **each._measured()} for each in self.others
            ]
        if self.sustained:
            document["sustained"] = self.sustained.to_dict()
        return document

    def _measured(self) -> dict[str, Any]:
        """What there is for each number of threads."""
        document: dict[str, Any] = {
            "load_ms": self.load_ms,
            "points": [point.to_dict() for point in self.points],
            "curve": _curve_document(self.curve, self.points) if self.curve else None,
            "recommendation": self.recommendation.to_dict() if self.recommendation else None,
        }
        if self.curve_note:
            document["curve_note"] = self.curve_note
        if self.predictions:
            document["predictions"] = [prediction.to_dict() for prediction in self.predictions]
        return document


def unmet(profiles: Sequence[Profile]) -> Iterator[EdgeViTError]:
    """What was asked of them and cannot be had: each question to a curve, and a budget that none of them meets."""
    for profile in profiles:
        for series in profile.series:
            yield from series.unanswered
    over_budget = [profile.over_budget for profile in profiles if profile.over_budget]
    if len(over_budget) == len(profiles):
        yield from over_budget


def _curve_document(curve: Curve, points: tuple[Point, ...]) -> dict[str, Any]:
    return {
        **curve.parameters(),
        "crossover_resolution": curve.crossover_resolution(common_patch(points)),
        "points": [
            {
                **point.resolution.to_fields(),
                "tokens": point.tokens,
                "fitted_ms": curve.predict(point.tokens),
                "residual_ms": point.median_ms - curve.predict(point.tokens),
                "linear_ms": curve.linear_ms(point.tokens),
                "quadratic_ms": curve.quadratic_ms(point.tokens),
                "quadratic_share": curve.quadratic_share(point.tokens),
                "leave_one_out_error": curve.left_out_error(point.resolution),
            }
            for point in points
        ],
    }
