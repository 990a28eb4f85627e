"""The profile: points measured on a device, the curve through them, and what they recommend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.config import check_resolution
from edgevit.documents import Record, read_document
from edgevit.errors import BudgetError, DocumentError, EdgeViTError, ProfileError
from edgevit.latency.budget import Prediction, Recommendation, predict, predicted_resolution, recommend
from edgevit.latency.curve import Curve, LeftOut, fit
from edgevit.latency.devices import device as device_named
from edgevit.latency.devices.phone import measure_by_benchmark_model
from edgevit.latency.point import Point, common_patch
from edgevit.latency.request import ProfileRequest

__all__ = ["SCHEMA", "Profile", "assemble", "measure", "read_profile"]

SCHEMA = "edgevit.profile/1"
_EVERYTHING = ProfileRequest()


@dataclass(frozen=True)
class Profile:
    """A whole edgevit.profile/1 document; points ascend by resolution."""

    device: Mapping[str, Any]
    """The machine and the interpreter, as the runtime describes them."""
    model: str
    """The artefact's path."""
    recipe: str
    threads: int
    """How many the interpreter was given."""
    points: tuple[Point, ...]
    variant: str | None = None
    load_ms: float | None = None
    measured_at: str | None = None
    """ISO 8601, UTC."""
    edgevit: str | None = None
    """The version that measured."""
    curve: Curve | None = None
    curve_note: str | None = None
    """Why there is no curve."""
    recommendation: Recommendation | None = None
    predictions: tuple[Prediction, ...] = ()
    unmet: tuple[EdgeViTError, ...] = ()
    """What was asked for and cannot be had, to be raised once the rest has been shown."""

    def __post_init__(self) -> None:
        common_patch(self.points)
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.resolution)))

    @property
    def patch(self) -> int:
        return common_patch(self.points)

    def within(self, budget_ms: float) -> Profile:
        """A copy with the recommendation for a budget; with a `BudgetError` in `unmet` where nothing fits."""
        unmet = tuple(error for error in self.unmet if not isinstance(error, BudgetError))
        try:
            recommendation = recommend(self.points, budget_ms)
        except BudgetError as error:
            recommendation, unmet = Recommendation(budget_ms, None), (*unmet, error)
        if self.curve:
            predicted = predicted_resolution(self.points, self.curve, budget_ms, recommendation.point)
            recommendation = replace(recommendation, predicted=predicted)
        return replace(self, recommendation=recommendation, unmet=unmet)

    def predicting(self, resolutions: Sequence[int]) -> Profile:
        """A copy with the curve's latency at `resolutions`; an error in `unmet` for each it cannot tell."""
        predictions, unmet = [], list(self.unmet)
        for resolution in resolutions:
            try:
                check_resolution(resolution, self.patch)
                if self.curve is None:
                    raise ProfileError(f"cannot predict {resolution}: {self.curve_note}")
                predictions.append(predict(self.points, self.curve, resolution))
            except EdgeViTError as error:
                unmet.append(error)
        return replace(self, predictions=tuple(predictions), unmet=tuple(unmet))

    def to_dict(self) -> dict[str, Any]:
        """The document, as `edgevit profile --json` prints it."""
        document = {
            "schema": SCHEMA,
            "edgevit": self.edgevit,
            "measured_at": self.measured_at,
            "device": dict(self.device),
            "model": self.model,
            "variant": self.variant,
            "patch": self.patch,
            "recipe": self.recipe,
            "threads": self.threads,
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


def measure(
    artefact: Path,
    request: ProfileRequest = _EVERYTHING,
    *,
    device: str = "local",
    benchmark_model: Path | None = None,
) -> Profile:
    """Measures an artefact on a device and fits the curve; without a request its whole ladder on one thread.

    `benchmark_model`: TFLite's program of that name, which a phone is to run in place of edgevit's own loop.
    """
    if benchmark_model is None:
        answer = device_named(device)(artefact, request)
    else:
        answer = measure_by_benchmark_model(device, artefact, request, benchmark_model)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(assemble(answer), measured_at=now, edgevit=__version__)


def assemble(measured: Record) -> Profile:
    """A device's answer, edgevit.profile/1 without a curve, becomes a profile with one, or a note why not."""
    bare = _read(measured)
    try:
        curve = fit([point.tokens for point in bare.points], [point.median_ms for point in bare.points])
    except ProfileError as error:
        return replace(bare, curve=None, curve_note=str(error))
    return replace(bare, curve=curve, curve_note=None)


def read_profile(path: Path) -> Profile:
    """A profile from its file: the curve as it was fitted then, the recommendation for the budget of then."""
    record = read_document(path, SCHEMA)
    try:
        stored = _read(record)
    except ProfileError as error:
        raise DocumentError(f"{path}: {error}") from error
    if record.has("curve"):
        stored = replace(stored, curve=_read_curve(record.record("curve"), stored.points))
    elif stored.curve_note is None:  # straight from `edgevit-run profile --json` on a device
        stored = assemble(record)
    if record.has("recommendation"):
        stored = stored.within(record.record("recommendation").number("budget_ms"))
    if record.has("predictions"):
        stored = stored.predicting([each.whole("resolution", least=1) for each in record.records("predictions")])
    return stored


def _read(record: Record) -> Profile:
    """What a device measured: everything but the curve and what follows from it."""
    return Profile(
        device=record.record("device").values,
        model=record.text("model"),
        recipe=record.text("recipe"),
        threads=record.whole("threads", least=1),
        points=tuple(Point.from_record(point) for point in record.records("points")),
        variant=record.text("variant") if record.has("variant") else None,
        load_ms=record.number("load_ms") if record.has("load_ms") else None,
        measured_at=record.text("measured_at") if record.has("measured_at") else None,
        edgevit=record.text("edgevit") if record.has("edgevit") else None,
        curve_note=record.text("curve_note") if record.has("curve_note") else None,
    )


def _curve_document(curve: Curve, points: tuple[Point, ...]) -> dict[str, Any]:
    return {
        **curve.parameters(),
        "crossover_resolution": curve.crossover_resolution(common_patch(points)),
        "points": [
            {
                "resolution": point.resolution,
                "tokens": point.tokens,
                "fitted_ms": curve.predict(point.tokens),
                "residual_ms": point.median_ms - curve.predict(point.tokens),
                "linear_ms": curve.linear_ms(point.tokens),
                "quadratic_ms": curve.quadratic_ms(point.tokens),
                "quadratic_share": curve.quadratic_share(point.tokens),
                "leave_one_out_error": curve.left_out_error(point.tokens),
            }
            for point in points
        ],
    }


def _read_curve(record: Record, points: tuple[Point, ...]) -> Curve:
    """The curve of a document; fitted times and shares follow from a, b and c, only the errors are read."""
    tokens = {point.resolution: point for point in points}
    left_out = []
    for each in record.records("points"):
        point = tokens.get(each.whole("resolution", least=1))
        if point and each.has("leave_one_out_error"):
            error = each.number("leave_one_out_error", least=-1.0)
            left_out.append(LeftOut(point.tokens, point.median_ms * (1.0 + error), error))
    return Curve(
        a_ms=record.number("a_ms"),
        b_ms_per_token=record.number("b_ms_per_token"),
        c_ms_per_token2=record.number("c_ms_per_token2"),
        r2=record.number("r2", least=float("-inf"), most=1.0),
        left_out=tuple(left_out),
    )
