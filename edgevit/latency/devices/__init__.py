"""Where a profile is measured. Each device is one function that runs the runtime's timing loop there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol

from edgevit.devices.registry import scheme
from edgevit.documents import Record
from edgevit.latency.devices import local, remote
from edgevit.latency.request import ProfileRequest

__all__ = ["DEVICES", "Measure", "device"]


class Measure(Protocol):
    """Runs an artefact on a device; returns what its runtime printed, edgevit.profile/1 without the curve."""

    def __call__(self, artefact: Path, request: ProfileRequest) -> Record:
        """Measures what the request asks for."""


DEVICES: dict[str, Measure] = {
    "local": local.measure,  # this machine, a fresh process
}


def device(name: str) -> Measure:
    """The device of that name. Raises `ConfigError`, which lists the known ones."""
    scheme(name)
    return DEVICES.get(name) or partial(remote.measure, name)
