"""A profile of a device that is not there: an estimate by what the kernels of an artefact were counted to take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgevit.devices.profile_request import ProfileRequest
from edgevit.errors import ConfigError
from edgevit.latency.cost import Cost
from edgevit.latency.measuring_conditions import Doubt
from edgevit.latency.point import Point
from edgevit.latency.processors.estimate_basis import EstimateBasis
from edgevit.latency.processors.graph_operators import graph_operators
from edgevit.latency.processors.kernel_rates import SOURCE
from edgevit.latency.processors.processor import Processor, get_processor
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import ESTIMATE
from edgevit.version import __version__
from edgevit_runtime.resolution import Resolution, as_resolution
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot

__all__ = ["check_estimate", "estimated_profile"]

_DETAIL = "instructions of {core}s counted, not timed: see docs/arm.md"


def check_estimate(request: ProfileRequest, *, device: str, benchmark_model: Path | None) -> None:
    """Raises `ConfigError` for what only a device that is there could follow."""
    if request.threads != (1,):
        given = ",".join(map(str, request.threads))
        raise ConfigError(f"an estimate is of one thread, as counts are: leave --threads {given} out")
    options = {
        f"--device {device}": device != "local",
        "--benchmark-model": benchmark_model is not None,
        "--cpus": request.cpus,
        "--seconds": request.seconds is not None,
        "--duration": request.duration_s is not None,
        "--cool-down": request.cool_down_s is not None,
        "--sustained": request.sustained_s is not None,
        "--ops": request.ops,
    }
    if given_too := [option for option, given in options.items() if given]:
        raise ConfigError(f"with --estimate nothing runs anywhere: leave {', '.join(given_too)} out")


def estimated_profile(artefact: Path, request: ProfileRequest, processor: str) -> Profile:
    """Of the resolutions that the request names, with the curve; each point is marked as an estimate.

    Raises `ConfigError` for a processor or a task that is not known, `ResolutionError`, `ArtefactError`, and
    `ProfileError` for an artefact with an operator that was never counted.
    """
    core = get_processor(processor)
    with Snapshot(artefact) as snapshot:
        manifest, digest, _ = examine(snapshot, remember=False)
        task = request.task or manifest.default_task
        wanted = [as_resolution(each) for each in request.resolutions or manifest.ladder(task)]
        signatures = [manifest.signature(each, task) for each in wanted]
        if not signatures:
            raise ConfigError(f"{artefact} has no task {task!r} (it has {', '.join(manifest.tasks)})")
        with snapshot.mapped() as data:
            cycles = [core.cycles(graph_operators(data, each.name)) for each in signatures]
        size_bytes = snapshot.size_bytes
    points = tuple(_point(core, each, count) for each, count in zip(signatures, cycles, strict=True))
    return Profile(
        device=_device(core),
        model=str(artefact),
        recipe=manifest.recipe,
        threads=1,
        points=points,
        variant=manifest.variant,
        task=task,
        size_bytes=size_bytes,
        sha256=digest.hex(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        edgevit=__version__,
        estimate=_basis(core, wanted, cycles),
    ).fitted()


def _point(core: Processor, signature: Any, cycles: float) -> Point:
    """Nothing ran: the percentiles are the estimate itself."""
    estimate_ms = core.milliseconds(cycles)
    return Point(
        resolution=as_resolution(signature.resolution),
        tokens=signature.tokens,
        macs=Cost(signature.macs["linear"], signature.macs["attention"]),
        median_ms=estimate_ms,
        p10_ms=estimate_ms,
        p90_ms=estimate_ms,
        runs=0,
        peak_rss_bytes=None,
        doubtful=(Doubt(ESTIMATE, _DETAIL.format(core=core.core)),),
    )


def _device(core: Processor) -> dict[str, Any]:
    """What a runtime on the board would say of it, as far as it is known, and that nobody asked it."""
    return {
        "name": f"estimate of {core.name}",
        "model": f"{core.core} ({core.board}), estimated",
        "cpu": core.core,
        "machine": "aarch64",
        "int8_dot_products": list(core.int8_dot_products),
    }


def _basis(core: Processor, resolutions: Sequence[Resolution], cycles: Sequence[float]) -> EstimateBasis:
    counts = tuple((each, round(count)) for each, count in zip(resolutions, cycles, strict=True))
    return EstimateBasis(core.name, core.board, core.ghz, core.factor, *core.slower, SOURCE, counts)
