"""The profile: points measured on a device, the curve through them, and what they recommend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgevit import __version__
from edgevit.config import check_resolution
from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling import device as device_named
from edgevit.devices.profiling.by_benchmark_model import measure_by_benchmark_model
from edgevit.documents import Record, read_document
from edgevit.errors import BudgetError, DocumentError, EdgeViTError, ProfileError
from edgevit.latency.budget import LatencyPrediction, Recommendation, predict, predicted_resolution, recommend
from edgevit.latency.curve import Curve, LeftOut, fit
from edgevit.latency.measuring_conditions import Cooling
from edgevit.latency.point import Point, common_patch
from edgevit.latency.sustained_run import Sustained
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["SCHEMA", "Profile", "assemble", "measure", "profile_from", "read_profile", "unmet"]

SCHEMA = "edgevit.profile/1"
_EVERYTHING = ProfileRequest()
_OF_ONE_SERIES = ("points", "load_ms", "curve", "curve_note", "recommendation", "predictions", "series", "sustained")


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
    cooling: Cooling | None = None
    sustained: Sustained | None = None
    others: tuple[Profile, ...] = ()
    """The same artefact, measured in turns with this one on other numbers of threads."""

    def __post_init__(self) -> None:
        common_patch(self.points)
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.resolution)))

    @property
    def patch(self) -> int:
        return common_patch(self.points)

    @property
    def place(self) -> str:
        """What the device is: its board or processor, or else its name."""
        names = (self.device.get(key) for key in ("model", "cpu", "name"))
        return next((str(name) for name in names if name), "this device")

    @property
    def device_name(self) -> str:
        """How the device was reached: `local`, `ssh://pi`; nothing where the document does not say."""
        return str(self.device.get("name") or "")

    def point(self, resolution: int) -> Point | None:
        """What was measured at a resolution; None where nothing was."""
        return next((point for point in self.points if point.resolution == resolution), None)

    @property
    def series(self) -> tuple[Profile, ...]:
        """A profile for each number of threads: this one, then the others."""
        return (self, *self.others)

    def within(self, budget_ms: float) -> Profile:
        """A copy with the recommendation for a budget, for each number of threads, or `over_budget`."""
        others = tuple(each.within(budget_ms) for each in self.others)
        over_budget = None
        try:
            recommendation = recommend(self.points, budget_ms)
        except BudgetError as error:
            recommendation = Recommendation(budget_ms, None)
            over_budget = error if all(each.over_budget for each in others) else None
        if self.curve:
            predicted = predicted_resolution(self.points, self.curve, budget_ms, recommendation.point)
            recommendation = replace(recommendation, predicted=predicted)
        return replace(self, recommendation=recommendation, over_budget=over_budget, others=others)

    def predicting(self, resolutions: Sequence[int]) -> Profile:
        """A copy with the curve's latency at `resolutions`; an error in `unanswered` for each it cannot tell."""
        predictions, unanswered = [], []
        for resolution in resolutions:
            try:
                check_resolution(resolution, self.patch)
                if self.curve is None:
                    raise ProfileError(f"cannot predict {resolution}: {self.curve_note}")
                predictions.append(predict(self.points, self.curve, resolution))
            except EdgeViTError as error:
                unanswered.append(error)
        others = tuple(each.predicting(resolutions) for each in self.others)
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
            "threads": self.threads,
            "cpus": self.cpus,
            **self._measured(),
        }
        if self.cooling:
            document["cooling"] = self.cooling.to_dict()
        if self.others:
            document["series"] = [{"threads": each.threads, **each._measured()} for each in self.others]
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
    profile = replace(assemble(answer), measured_at=now, edgevit=__version__)
    if profile.sha256 is None and artefact.is_file():  # TFLite's own program and older runtimes do not say
        size_bytes, sha256 = artefact.stat().st_size, file_sha256(artefact)
        others = tuple(replace(each, size_bytes=size_bytes, sha256=sha256) for each in profile.others)
        profile = replace(profile, size_bytes=size_bytes, sha256=sha256, others=others)
    return profile


def unmet(profiles: Sequence[Profile]) -> Iterator[EdgeViTError]:
    """What was asked of them and cannot be had: each question to a curve, and a budget that none of them meets."""
    for profile in profiles:
        for series in profile.series:
            yield from series.unanswered
    over_budget = [profile.over_budget for profile in profiles if profile.over_budget]
    if len(over_budget) == len(profiles):
        yield from over_budget


def assemble(measured: Record) -> Profile:
    """A device's answer, edgevit.profile/1 without a curve, becomes a profile with one, or a note why not."""
    bare = replace(_read(measured), others=tuple(map(assemble, _series(measured))))
    try:
        curve = fit([point.tokens for point in bare.points], [point.median_ms for point in bare.points])
    except ProfileError as error:
        return replace(bare, curve=None, curve_note=str(error))
    return replace(bare, curve=curve, curve_note=None)


def read_profile(path: Path) -> Profile:
    """A profile from its file: the curve as it was fitted then, the recommendation for the budget of then."""
    return profile_from(read_document(path, SCHEMA))


def profile_from(record: Record) -> Profile:
    """The profile that a document, or a part of one, holds; see `read_profile`."""
    try:
        stored = _read(record)
    except ProfileError as error:
        raise DocumentError(f"{record.where}: {error}") from error
    if record.has("curve"):
        stored = replace(stored, curve=_read_curve(record.record("curve"), stored.points))
    elif stored.curve_note is None:  # straight from `edgevit-run profile --json` on a device
        stored = assemble(record)
    stored = replace(stored, others=tuple(map(profile_from, _series(record))))
    if record.has("recommendation"):
        stored = stored.within(record.record("recommendation").number("budget_ms"))
    if record.has("predictions"):
        stored = stored.predicting([each.whole("resolution", least=1) for each in record.records("predictions")])
    return stored


def _read(record: Record) -> Profile:
    """What a device measured on the first number of threads: everything but the curve and what follows from it."""
    return Profile(
        device=record.record("device").values,
        model=record.text("model"),
        recipe=record.text("recipe"),
        threads=record.whole("threads", least=1),
        points=tuple(Point.from_record(point) for point in record.records("points")),
        variant=record.text("variant") if record.has("variant") else None,
        load_ms=record.number("load_ms") if record.has("load_ms") else None,
        size_bytes=record.whole("size_bytes", least=1) if record.has("size_bytes") else None,
        sha256=record.text("sha256") if record.has("sha256") else None,
        measured_at=record.text("measured_at") if record.has("measured_at") else None,
        edgevit=record.text("edgevit") if record.has("edgevit") else None,
        curve_note=record.text("curve_note") if record.has("curve_note") else None,
        cpus=record.text("cpus") if record.has("cpus") else None,
        cooling=Cooling.from_record(record.record("cooling")) if record.has("cooling") else None,
        sustained=Sustained.from_record(record.record("sustained")) if record.has("sustained") else None,
    )


def _series(record: Record) -> list[Record]:
    """The other numbers of threads, each as a document of its own."""
    if not record.has("series"):
        return []
    shared = {key: value for key, value in record.values.items() if key not in _OF_ONE_SERIES}
    return [Record({**shared, **each.values}, each.where) for each in record.records("series")]


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
