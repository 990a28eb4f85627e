"""What a device is: asked through its shell, with nothing but POSIX, so that anything with a shell can answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgevit.devices.device import Device
from edgevit.devices.remote_output import shortened
from edgevit.errors import DeviceError

__all__ = ["Machine", "Python", "describe", "free_bytes"]

_ASK_S = 60.0
# `python3` first: the one that its owner means. Its own path, not the link's: the link may mean another one tomorrow.
# ctypes, http.server and venv are parts that distributions leave out of their smallest Pythons.
_PYTHONS = "python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9"
_PYTHON = (
    "import os, struct, sys, sysconfig; "
    "exe = os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable); "
    "kind = sys.implementation.name + ('t' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''); "
    "print('python', '%d.%d.%d' % sys.version_info[:3], kind, struct.calcsize('P') * 8, exe); "
    "import ctypes, email, http.server, json; print('whole', exe)"
)
_SCRIPT = f"""\
echo "system $(uname -s)"; echo "kernel $(uname -r)"; echo "machine $(uname -m)"; echo "home $HOME"
echo "bits $(getconf LONG_BIT 2>/dev/null)"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || for each in /lib/ld-musl-*; do [ -e "$each" ] && libc=musl; done
echo "libc $libc"
[ -r /etc/os-release ] && . /etc/os-release && echo "release $PRETTY_NAME"
[ -r /proc/device-tree/model ] && echo "board $(tr -d '\\0' < /proc/device-tree/model)"
ask() {{ "$1" -I -c "{_PYTHON}"; }}
for each in {_PYTHONS}; do
place=$(command -v $each) || continue
said=$(ask $each 2>/dev/null)
[ -n "$said" ] && echo "$said" && continue
why=$(ask $each 2>&1) || why="$why, exit code $?"
echo "broken $place ($(echo "$why" | tail -n 1))"
done
echo end"""


# Whatever else it says there is no Python's answer.
_TOLD = re.compile(r"(\d{1,2})\.(\d{1,3})\.(\d{1,3}) ([a-z]{1,20}) (32|64) (/.*)", re.ASCII)
_LONGEST, _MOST_LINES = 4096, 1000


@dataclass(frozen=True)
class Python:
    """A Python of a device."""

    version: tuple[int, int, int]
    implementation: str
    """`cpython`, `cpythont` (without the lock), `pypy`."""
    bits: int
    place: str
    """Its program, links followed."""
    whole: bool
    """Whether the standard library is all there; some distributions leave parts out."""

    @property
    def minor(self) -> str:
        """`3.11`."""
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True)
class Machine:
    """What a device says of itself. Words are the device's own."""

    system: str
    """`uname -s`: Linux, Darwin."""
    kernel: str
    machine: str
    """`uname -m`: aarch64, x86_64, armv7l."""
    bits: int | None
    """Of its programs: 32 where a 64-bit kernel has a 32-bit system on it. None where it does not say."""
    home: str
    libc: str
    """`glibc`, `musl`, or empty."""
    libc_version: tuple[int, int] | None
    pythons: tuple[Python, ...]
    broken: tuple[str, ...] = ()
    """Pythons that do not run: `PLACE (what they say)`."""
    release: str = ""
    """Of the distribution, such as `Debian GNU/Linux 12 (bookworm)`."""
    board: str = ""
    """Such as `Raspberry Pi 5 Model B Rev 1.0`."""


def describe(device: Device) -> Machine:
    """Asks a device what it is: one command. Raises `DeviceError` where it cannot be asked, or makes no sense."""
    answer = device.run(["sh", "-c", _SCRIPT], timeout_s=_ASK_S, check=False)
    rows = [shortened(line, _LONGEST).split(" ", 1) for line in answer.stdout.splitlines()[:_MOST_LINES] if " " in line]
    rows = [row for row in rows if len(row) == 2]
    said = {key: value.strip() for key, value in rows}
    if "end" not in answer.stdout.splitlines() or not said.get("machine"):
        told = [shortened(line) for line in (answer.stderr or answer.stdout).strip().splitlines()]
        raise DeviceError(
            f"{device.name} does not answer as a POSIX shell does: {told[-1] if told else 'it is silent'}"
        )
    libc, _, version = said.get("libc", "").partition(" ")
    numbers = re.match(r"(\d{1,2})\.(\d{1,2})(?!\d)", version, re.ASCII)
    return Machine(
        system=said.get("system", ""),
        kernel=said.get("kernel", ""),
        machine=said["machine"],
        bits=int(said["bits"]) if said.get("bits") in ("32", "64") else None,
        home=said.get("home", ""),
        libc=libc,
        libc_version=(int(numbers[1]), int(numbers[2])) if numbers else None,
        pythons=_pythons(rows),
        broken=tuple(value for key, value in rows if key == "broken"),
        release=said.get("release", ""),
        board=said.get("board", ""),
    )


def free_bytes(row: str) -> int | None:
    """What is free on a file system, by the row that `df -Pk` has for it; None where that is no such row."""
    # Filesystem, 1024-blocks, used, available, share, mounted on. From the end: a name may have spaces in it.
    words = row.split()
    return int(words[-3]) * 1024 if len(words) >= 6 and re.fullmatch(r"[0-9]{1,15}", words[-3]) else None


def _pythons(rows: list[list[str]]) -> tuple[Python, ...]:
    whole = {value for key, value in rows if key == "whole"}
    found: dict[str, Python] = {}
    for key, value in rows:
        if key == "python" and (told := _TOLD.fullmatch(value)):
            major, minor, patch, kind, bits, place = told.groups()
            version = int(major), int(minor), int(patch)
            found.setdefault(place, Python(version, kind, int(bits), place, place in whole))
    return tuple(found.values())
