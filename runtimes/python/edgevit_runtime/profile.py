"""The profile of a ladder on this machine, as `edgevit-run profile` and `edgevit profile` print it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edgevit_runtime import machine, selftest, timing
from edgevit_runtime.manifest import Signature

if TYPE_CHECKING:
    from edgevit_runtime.model import Model


def measure(
    model: Model,
    resolutions: Iterable[int] | None,
    seconds: float,
    on_progress: Callable[[float], None] | None,
    *,
    ops: bool = False,
) -> dict[str, Any]:
    """See `Model.profile`."""
    signatures = [model.manifest.signature(each) for each in sorted(set(resolutions or model.resolutions))]
    calls, peaks = {}, {}
    for signature in signatures:
        image = selftest.draw_picture(selftest.GENERATOR, 1, signature.resolution)
        calls[signature.resolution] = lambda image=image: model.outputs(image)
        timing.reset_peak_rss()
        model.outputs(image)
        peaks[signature.resolution] = timing.peak_rss_bytes()
    latencies = timing.measure(calls, seconds=seconds, on_round=on_progress)
    points = [_point(each, latencies[each.resolution], peaks[each.resolution]) for each in signatures]
    if ops:
        from edgevit_runtime.litert_profiler import ops_ms

        for point, spent in zip(points, ops_ms(model, signatures)):
            point["ops_ms"] = spent
    return {
        "schema": "edgevit.profile/1",
        "device": machine.describe(*model.backend),
        "model": model.path,
        "variant": model.manifest.variant,
        "patch": model.manifest.patch,
        "recipe": model.manifest.recipe,
        "threads": model.threads,
        "load_ms": round(model.load_ms, 3),
        "points": points,
    }


def _point(signature: Signature, latency: timing.Latency, peak_bytes: int) -> dict[str, Any]:
    return {
        "resolution": signature.resolution,
        "tokens": signature.tokens,
        "macs": dict(signature.macs),
        "latency_ms": {
            "median": round(latency.median_ms, 4),
            "p10": round(latency.p10_ms, 4),
            "p90": round(latency.p90_ms, 4),
            "runs": latency.runs,
            "stable": latency.stable,
        },
        "peak_rss_bytes": peak_bytes,
    }
