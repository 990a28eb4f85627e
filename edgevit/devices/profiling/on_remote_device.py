"""A device that edgevit is put on, `ssh://HOST` or `adb://SERIAL`: the runtime's timing loop there."""

from __future__ import annotations

from pathlib import Path

from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.registry import home
from edgevit.documents import Record
from edgevit_runtime import read_manifest

__all__ = ["measure"]

_BESIDE_S = 600.0
"""For loading, first runs and profiling, beside what the request may take."""


def measure(name: str, artefact: Path, request: ProfileRequest) -> Record:
    """See `Measure` in the package; puts there what is not there yet. Raises `DeviceError`."""
    ladder = len(read_manifest(artefact).resolutions)
    return home(name).profile(artefact, request.arguments(), request.longest_s(ladder) + _BESIDE_S)
