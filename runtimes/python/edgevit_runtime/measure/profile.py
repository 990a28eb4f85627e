"""The profile of a ladder on this machine, as `edgevit-run profile` and `edgevit profile` print it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.measure import machine, process_memory, sustained, timing
from edgevit_runtime.measure.conditions import COOL_DOWN_SECONDS, Watch
from edgevit_runtime.measure.measured_model import MeasuredModel
from edgevit_runtime.measure.processors import as_ranges
from edgevit_runtime.measure.sensors import Sensors
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution, as_resolutions
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify import self_test
from edgevit_runtime.version import __version__

SECONDS = 3.0
"""The most for one resolution, by default: also for what the host measures otherwise, so that profiles compare."""
Progress = Callable[[float], None]
"""Told the share that is done, 0 to 1; from 0 on again in the sustained run."""


class MeasurementPlan(NamedTuple):
    """How to measure; `edgevit.devices.profile_request.ProfileRequest` is the host's side of it.

    resolutions: some of the ladder (None: all of it). seconds: the most for one of them. duration_s: the most for all,
    pauses included. cool_down_s: the most to wait for a hot device. sustained_s: then one resolution for so long,
    sustained_at. cpus: what the process was kept on. ops: also where the time goes. task: whose signatures (None: the
    artefact's default one).
    """

    resolutions: Iterable[ResolutionLike] | None = None
    seconds: float | None = None
    duration_s: float | None = None
    cool_down_s: float = COOL_DOWN_SECONDS
    sustained_s: float | None = None
    sustained_at: ResolutionLike | None = None
    cpus: Sequence[int] = ()
    ops: bool = False
    task: str | None = None


def measure(
    models: Iterable[MeasuredModel],
    plan: MeasurementPlan,
    on_progress: Progress | None = None,
    sensors: Sensors | None = None,
) -> dict[str, Any]:
    """The document edgevit.profile/1 of one artefact, opened once for each number of threads and for the GPU.

    The first model's points stand at the top, the others' under `series`, each with its `threads` and `accelerator`
    (`cpu` or `gpu`). All of them are
    measured in turns. Memory is told for the first alone, before the others are taken from `models`: they share the
    process with it.
    """
    source = iter(models)
    first = next(source)
    task = plan.task or first.manifest.default_task
    wanted = as_resolutions(plan.resolutions or first.manifest.ladder(task))
    signatures = [first.manifest.signature(each, task) for each in wanted]
    if not signatures:
        raise EdgeViTError(f"{first.path} has no task {task!r} (it has {', '.join(first.manifest.tasks)})")
    steady = _sustained_at(plan, first, signatures)
    sensors = sensors or Sensors(cpus=plan.cpus or _allowed())
    device = {**machine.describe(*first.backend), **sensors.describe(), "runtime": __version__}
    if plan.cpus:
        device["cores"] = os.cpu_count()
    watch = Watch(sensors, cool_down_s=plan.cool_down_s)
    device["temperature_c"] = watch.start.temperature_c
    peaks = _peaks(first, signatures)
    models = [first, *source]
    calls = {
        (place, as_resolution(each.resolution)): _inference(model, each)
        for place, model in enumerate(models)
        for each in signatures
    }
    latencies = timing.measure(
        calls,
        seconds=_seconds(plan, len(calls)),
        total_seconds=plan.duration_s or float("inf"),
        on_round=on_progress,
        watch=watch,
    )
    series: list[dict[str, Any]] = []
    for place, model in enumerate(models):
        keys = [(place, as_resolution(each.resolution)) for each in signatures]
        points = [
            {
                **_point(signature, latencies[key], peaks.get(key[1]) if model is first else None),
                "conditions": watch.conditions(key),
                "doubtful": [each._asdict() for each in watch.doubts(key, keys)],
            }
            for signature, key in zip(signatures, keys)
        ]
        said = {"threads": model.threads, "accelerator": model.accelerator(signatures[0])}
        series.append({**said, "load_ms": round(model.load_ms, 3), "points": points})
    if plan.ops:
        _add_ops(first, signatures, series[0]["points"])
    document = {
        "schema": "edgevit.profile/1",
        "device": device,
        "model": first.path,
        "size_bytes": first.snapshot.size_bytes,
        "sha256": first.digest.hex(),
        "variant": first.manifest.variant,
        "patch": first.manifest.patch,
        "recipe": first.manifest.recipe,
        "task": task,
        **series[0],
        "cpus": as_ranges(plan.cpus) if plan.cpus else None,
    }
    if len(series) > 1:
        document["series"] = series[1:]
    if plan.sustained_s:
        document["sustained"] = _sustained(models, steady, plan.sustained_s, watch, calls, on_progress)
    document["cooling"] = watch.cooling()
    return document


def _allowed() -> Sequence[int] | None:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _seconds(plan: MeasurementPlan, points: int) -> float:
    """The most for one point: with a duration alone, its share of that."""
    if plan.seconds is not None:
        return plan.seconds
    return SECONDS if plan.duration_s is None else plan.duration_s / points


def _inference(model: MeasuredModel, signature: Signature) -> Callable[[], object]:
    image = self_test.draw_picture(self_test.GENERATOR, 1, signature.resolution)
    return lambda: model.run_signature(signature, image)


def _peaks(model: MeasuredModel, signatures: Sequence[Signature]) -> dict[Resolution, int]:
    """Resolution -> the process's peak memory in its first inference, bytes; none where the system does not say."""
    peaks = {}
    for signature in signatures:
        run = _inference(model, signature)
        process_memory.reset_peak_rss()
        run()
        peaks[as_resolution(signature.resolution)] = process_memory.peak_rss_bytes()
    return {resolution: peak for resolution, peak in peaks.items() if peak}


def _point(signature: Signature, latency: timing.Latency, peak_bytes: int | None) -> dict[str, Any]:
    return {
        **as_resolution(signature.resolution).to_fields(),
        "tokens": signature.tokens,
        "macs": dict(signature.macs),
        "latency_ms": {
            "median": round(latency.median_ms, 4),
            "p10": round(latency.p10_ms, 4),
            "p90": round(latency.p90_ms, 4),
            "p95": round(latency.p95_ms, 4),
            "runs": latency.runs,
            "stable": latency.stable,
        },
        "peak_rss_bytes": peak_bytes,
    }


def _add_ops(model: MeasuredModel, signatures: Sequence[Signature], points: Sequence[dict[str, Any]]) -> None:
    from edgevit_runtime.measure.operator_times import ops_ms

    for point, spent in zip(points, ops_ms(model, signatures)):
        point["ops_ms"] = spent


def _sustained_at(plan: MeasurementPlan, model: MeasuredModel, signatures: Sequence[Signature]) -> Resolution:
    """The resolution for the sustained run: the one asked for, the artefact's default, or the largest measured."""
    measured = [as_resolution(each.resolution) for each in signatures]
    if plan.sustained_at is None:
        default = as_resolution(model.manifest.default_resolution)
        return default if default in measured else measured[-1]
    wanted = as_resolution(plan.sustained_at)
    if wanted not in measured:
        raise EdgeViTError(f"--sustained-at {wanted} is not among what is measured: {', '.join(map(str, measured))}")
    return wanted


def _sustained(
    models: Sequence[MeasuredModel],
    resolution: Resolution,
    seconds: float,
    watch: Watch,
    calls: Mapping[tuple[int, Resolution], Callable[[], object]],
    on_progress: Progress | None,
) -> dict[str, Any]:
    """The sustained run, from a cool start, on the most threads of those asked for: they heat the most."""
    place = max(range(len(models)), key=lambda each: models[each].threads)
    watch.cool()
    found = sustained.sustain(
        calls[place, resolution],
        seconds,
        watch.sensors,
        on_progress=on_progress,
    )
    model = models[place]
    where = model.accelerator(model.manifest.signatures[0])
    return {**resolution.to_fields(), "threads": model.threads, "accelerator": where, **found}
