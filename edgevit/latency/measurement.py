"""Measures an artefact on a device, and fits the curve."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from edgevit import __version__
from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling import device as device_named
from edgevit.devices.profiling.by_benchmark_model import measure_by_benchmark_model
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import assemble
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["measure"]

_EVERYTHING = ProfileRequest()


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
