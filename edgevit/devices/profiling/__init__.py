"""Where a profile is measured. Each device is one function that runs the runtime's timing loop there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling import on_remote_device, on_this_machine
from edgevit.devices.registry import scheme
from edgevit.documents import Record

__all__ = ["DEVICES", "Measure", "device"]


class Measure(Protocol):
    """Runs an artefact on a device; returns what its runtime printed, edgevit.profile/1 without the curve."""

    def __call__(self, artefact: Path, request: ProfileRequest) -> Record:
        """Measures what the request asks for."""


DEVICES: dict[str, Measure] = {
    "local": on_this_machine.measure,  # this machine, a fresh process
}


def device(name: str) -> Measure:
    """The device of that name. Raises `ConfigError`, which lists the known ones."""
    scheme(name)
    return DEVICES.get(name) or partial(on_remote_device.measure, name)
