"""A profile out of its document: what a device answered, or what `edgevit profile --json` wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgevit.documents import Record, read_document
from edgevit.errors import DocumentError, ProfileError
from edgevit.latency.curve import Curve, LeftOut
from edgevit.latency.measuring_conditions import Cooling
from edgevit.latency.point import Point
from edgevit.latency.processors.estimate_basis import EstimateBasis
from edgevit.latency.profile import SCHEMA, Profile
from edgevit.latency.sustained_run import Sustained

__all__ = ["assemble", "profile_from", "read_profile"]

_OF_ONE_SERIES = ("points", "load_ms", "curve", "curve_note", "recommendation", "predictions", "series", "sustained")


def assemble(measured: Record) -> Profile:
    """A device's answer, edgevit.profile/1 without a curve, becomes a profile with one, or a note why not."""
    return replace(_read(measured), others=tuple(map(assemble, _series(measured)))).fitted()


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
        stored = stored.predicting([each.resolution() for each in record.records("predictions")])
    return stored


def _read(record: Record) -> Profile:
    """What a device measured on the first number of threads: everything but the curve and what follows from it."""
    return Profile(
        device=record.record("device").values,
        model=record.text("model"),
        recipe=record.text("recipe"),
        threads=record.whole("threads", least=1),
        accelerator=record.text("accelerator") if record.has("accelerator") else "cpu",
        points=tuple(Point.from_record(point) for point in record.records("points")),
        variant=record.text("variant") if record.has("variant") else None,
        task=record.text("task") if record.has("task") else None,
        load_ms=record.number("load_ms") if record.has("load_ms") else None,
        size_bytes=record.whole("size_bytes", least=1) if record.has("size_bytes") else None,
        sha256=record.text("sha256") if record.has("sha256") else None,
        measured_at=record.text("measured_at") if record.has("measured_at") else None,
        edgevit=record.text("edgevit") if record.has("edgevit") else None,
        curve_note=record.text("curve_note") if record.has("curve_note") else None,
        cpus=record.text("cpus") if record.has("cpus") else None,
        gpu_not_used=record.text("gpu_not_used") if record.has("gpu_not_used") else None,
        cooling=Cooling.from_record(record.record("cooling")) if record.has("cooling") else None,
        sustained=Sustained.from_record(record.record("sustained")) if record.has("sustained") else None,
        estimate=EstimateBasis.from_record(record.record("estimate")) if record.has("estimate") else None,
    )


def _series(record: Record) -> list[Record]:
    """The other numbers of threads, each as a document of its own."""
    if not record.has("series"):
        return []
    shared = {key: value for key, value in record.values.items() if key not in _OF_ONE_SERIES}
    return [Record({**shared, **each.values}, each.where) for each in record.records("series")]


def _read_curve(record: Record, points: tuple[Point, ...]) -> Curve:
    """The curve of a document; fitted times and shares follow from a, b and c, only the errors are read."""
    measured = {point.resolution: point for point in points}
    left_out = []
    for each in record.records("points"):
        point = measured.get(each.resolution())
        if point and each.has("leave_one_out_error"):
            error = each.number("leave_one_out_error", least=-1.0)
            left_out.append(LeftOut(point.resolution, point.tokens, point.median_ms * (1.0 + error), error))
    return Curve(
        a_ms=record.number("a_ms"),
        b_ms_per_token=record.number("b_ms_per_token"),
        c_ms_per_token2=record.number("c_ms_per_token2"),
        r2=record.number("r2", least=float("-inf"), most=1.0),
        left_out=tuple(left_out),
    )
