"""What edgevit's folder on a device can do, whichever kind of device: a phone's, an account's on a Linux machine."""

from __future__ import annotations

import os
import platform
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgevit.devices.artefact_store import ArtefactStore
from edgevit.devices.device import Device, Finished
from edgevit.devices.installed_service import InstalledService
from edgevit.devices.remote_output import shortened
from edgevit.documents import Record
from edgevit.errors import DeviceError
from edgevit_runtime.tasks.task import TryOut

__all__ = ["Installation", "InstalledRuntime", "locked", "reason", "running"]

_SHORT_S = 60.0
# Folders above that are not there are ours: noted, so that they can go again. The lock is a link that points to its
# owner: made and filled in one step.
_TAKE = """\
top=${1%/*} each=${1%/*} made=
while each=${each%/*} && [ -n "$each" ] && [ ! -d "$each" ]; do made="$made$each
"; done
mkdir -p "$top" && { [ -z "$made" ] || printf %s "$made" > "$top/.made"; } && ln -s "$2" "$1\""""


@dataclass(frozen=True)
class InstalledRuntime:
    """A version in use, and the artefact that it was tried with."""

    place: str
    """The artefact's, on the device."""
    version: str
    sent_bytes: int
    """Of archives and artefact; 0 where all were there."""
    self_test: dict[str, Any]
    """As `edgevit-run self-test --json` prints it."""


class Installation(Protocol):
    """edgevit on a device, or to be put on it. Each method raises `DeviceError`."""

    @property
    def device(self) -> Device: ...

    def install(self, artefact: Path) -> InstalledRuntime:
        """Puts edgevit and `artefact` there and tries both; what was in use before stays so where that fails."""

    def uninstall(self) -> bool:
        """Removes all that edgevit put there. Returns whether there was anything."""

    def answer(self, installed: InstalledRuntime, try_out: TryOut, picture: Path) -> dict[str, Any]:
        """What the task's `edgevit-run` says there of a picture of this machine."""

    def profile(self, artefact: Path, arguments: list[str], longest_s: float) -> Record:
        """What `edgevit-run profile` measures there, edgevit.profile/1 without the curve; installs what is missing."""

    def describe(self) -> dict[str, str]:
        """What the device is, in the words of a profile's `device`: name, model, system, machine and more."""

    def commands(self, place: str, try_out: TryOut) -> tuple[str, str]:
        """What a user types to try the artefact at `place` there, with a picture of this machine (by standard input),
        and with one that lies there; paths from the root."""

    @property
    def shelf(self) -> ArtefactStore:
        """The artefacts there."""

    def check_service(self, name: str, port: int, *, overwrite: bool) -> None:
        """Whether the artefact of that name can be served there; known before anything is sent."""

    def serve(self, model: str, port: int, task: str) -> InstalledService:
        """Serves the artefact at `model` there from now on, on that port of the device itself.

        task: the one whose address the user is told.
        """

    def runtime(self) -> str | None:
        """What `edgevit-run --version` says there; None where there is none that runs."""


def reason(finished: Finished) -> str:
    """Why an `edgevit-run` failed: in its own words where it had any (other lines are the interpreter's)."""
    prefix = "edgevit-run: "
    lines = [line.strip() for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
    told = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
    if told:
        return shortened(told[-1])
    number = finished.code - 128  # as a shell counts
    if number == signal.SIGSYS:
        return "Android stopped the runtime for a system call that it does not allow (SIGSYS); see docs/android.md"
    if 0 < number < 64:
        return f"the runtime was stopped by signal {number} (9 is usually: out of memory; 4: an instruction it lacks)"
    return f"the runtime failed with exit code {finished.code}: {shortened(lines[-1]) if lines else 'it said nothing'}"


@contextmanager
def locked(device: Device, top: str, stale_s: int) -> Iterator[None]:
    """One deployment at a time into the folder `top`; what it leaves in `top/incoming` goes at its end.

    A lock of this machine whose process is gone, or one older than `stale_s`, counts for nothing.
    Raises `DeviceError` where another one is at work.
    """
    lock, owner = f"{top}/.lock", f"{platform.node() or 'unknown'} {os.getpid()}"

    def sh(script: str, *words: str, check: bool = True) -> Finished:
        command = ["sh", "-c", script, "lock", lock, *words]
        return device.run(command, timeout_s=_SHORT_S, check=check, told=f"write in {top}")

    if sh(_TAKE, owner, check=False).code:
        said = sh('readlink "$1" && echo $(( $(date +%s) - $(stat -c %Y "$1") ))', check=False).stdout.strip()
        holder, _, age = said.rpartition("\n")
        holder, known = shortened(holder), re.fullmatch(r"-?[0-9]{1,12}", age)
        if holder not in ("", owner) and not _dead(holder) and known and int(age) < stale_s:
            raise DeviceError(
                f"{device.name}: another deployment is at work there (process {holder.rpartition(' ')[2]} on "
                f"{holder.rpartition(' ')[0]}, for {age} s): wait for its end; if it is dead: remove {lock} there"
            )
        # Unless somebody else was quicker.
        sh(f'[ "$(readlink "$1")" != "$3" ] || rm -f "$1"; {_TAKE}', owner, holder)
    try:
        yield
    finally:
        # Where the device is gone, its lock is found to be a dead one's next time.
        with suppress(DeviceError):
            sh('[ "$(readlink "$1")" != "$2" ] || { rm -rf "${1%/*}/incoming"; rm -f "$1"; }', owner)


def _dead(holder: str) -> bool:
    """Whether that process was one of this machine and is no more."""
    node, _, process = holder.rpartition(" ")
    if os.name != "posix" or node != (platform.node() or "unknown") or not re.fullmatch(r"[0-9]{1,10}", process):
        return False  # on Windows, signal 0 is one that does something
    return not running(int(process))


def running(process: int) -> bool:
    """Whether there is a process of that number on this machine (POSIX)."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True
