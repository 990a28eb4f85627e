"""An Android phone, `adb://[SERIAL]`, that runs TFLite's own `benchmark_model`."""

from __future__ import annotations

from pathlib import Path

from edgevit.devices.adb import benchmark_model
from edgevit.devices.adb.adb_device import adb_device
from edgevit.devices.adb.phone_installation import PhoneInstallation
from edgevit.devices.profile_request import ProfileRequest
from edgevit.documents import Record
from edgevit.errors import ConfigError

__all__ = ["measure_by_benchmark_model"]

_PREFIX = "adb://"


def measure_by_benchmark_model(name: str, artefact: Path, request: ProfileRequest, binary: Path) -> Record:
    """See `Measure` in the package; by a program of the user's, with nothing of edgevit on the phone but the artefact.

    Raises `ConfigError` for another device than a phone, and for what that program cannot do.
    """
    if not name.startswith(_PREFIX):
        raise ConfigError(f"--benchmark-model is for phones (--device adb://SERIAL), not for {name}")
    unable = {
        "several --threads": len(request.threads) > 1,
        "--duration": request.duration_s is not None,
        "--cool-down": request.cool_down_s is not None,
        "--sustained": request.sustained_s is not None,
        "--ops": request.ops,
        "--accelerator": request.accelerator != "cpu",
        "--task": request.task is not None,
    }
    if asked := [option for option, given in unable.items() if given]:
        raise ConfigError(f"--benchmark-model cannot be used with {', '.join(asked)}: leave one of them out")
    return benchmark_model.measure(
        _phone(name),
        artefact,
        binary,
        resolutions=request.resolutions,
        threads=request.threads[0],
        cpus=request.cpus,
        seconds=request.seconds,
    )


def _phone(name: str) -> PhoneInstallation:
    return PhoneInstallation(adb_device(name.removeprefix(_PREFIX)))
