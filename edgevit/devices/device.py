"""What edgevit asks of a device, however it is reached: run a command, put and get a file, say what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Device", "Finished"]


@dataclass(frozen=True)
class Finished:
    """A command that came to its end on a device."""

    code: int
    """As a shell counts: 128 + the signal that ended it."""
    stdout: str
    stderr: str


class Device(Protocol):
    """A machine that runs commands. `edgevit.devices.remote_machine.describe` tells what any of them is.

    Each method raises `DeviceError`, which names the device, the command, what was said and what to try. A connection
    that drops is tried once more; what a call left on the device goes before that, and when it fails.
    """

    @property
    def name(self) -> str:
        """As the user writes it: `local`, `ssh://pi`, `adb://SERIAL`."""

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float,
        stdin: bytes | None = None,
        check: bool = True,
        told: str = "",
    ) -> Finished:
        """Runs a program with these arguments; a shell on the way gets them quoted.

        Without `check`, an exit code other than 0 is an answer like any other. `told`: what a message says that the
        command was to do, such as `unpack the wheels`, in place of the command itself.
        """

    def put(self, source: Path, target: str) -> None:
        """Sends a file into a folder that is there; `target` is whole or as it was before."""

    def get(self, source: str, target: Path) -> None:
        """Fetches a file; `target` is whole or as it was before."""
