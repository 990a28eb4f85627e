"""Which Python of a machine edgevit runs on, and which wheels that takes; or why there is none."""

from __future__ import annotations

from edgevit.devices.remote_machine import Machine, Python
from edgevit.devices.wheels import Target
from edgevit.errors import DeviceError

__all__ = ["MACHINES", "python_and_target"]

# What ai-edge-litert has wheels for on Linux (https://pypi.org/project/ai-edge-litert/#files).
MACHINES = ("aarch64", "x86_64")
_OF_32_BITS = ("armv6l", "armv7l", "armv8l", "i386", "i486", "i586", "i686")
_OLDEST = (3, 9)  # edgevit-runtime's own
_NEWEST_LITERT = (3, 14)


def python_and_target(machine: Machine, name: str) -> tuple[Python, Target]:
    """The Python to use and what its wheels have to fit. Raises `DeviceError`, with what to do, where none would."""
    if machine.system != "Linux":
        raise DeviceError(f"{name} runs {machine.system}: edgevit can be put on Linux machines and Android phones")
    # `uname` tells the kernel's word; a Raspberry Pi may have a 32-bit system on a 64-bit kernel.
    bits = 32 if machine.bits == 32 or (machine.pythons and machine.pythons[0].bits == 32) else 64
    if bits == 32 or machine.machine in _OF_32_BITS:
        raise DeviceError(
            f"{name} runs a 32-bit system ({machine.machine} kernel): LiteRT has none for it; install a 64-bit one "
            "(Raspberry Pi OS 64-bit runs on every Pi since the 3 and on the Zero 2)"
        )
    if machine.machine not in MACHINES:
        raise DeviceError(
            f"{name} has {machine.machine} processors: LiteRT has wheels for {' and '.join(MACHINES)} only"
        )
    if machine.libc == "musl":
        raise DeviceError(
            f"{name} has musl as its C library ({machine.release or 'Alpine?'}): LiteRT's wheels need glibc; take a "
            "system with it, such as Debian, or a container of one"
        )
    if machine.libc != "glibc" or machine.libc_version is None or machine.libc_version[0] != 2:
        raise DeviceError(f"{name} does not say which C library it has (`getconf GNU_LIBC_VERSION`): it must be glibc")
    python = _python(machine, name)
    return python, Target(python.minor, machine.machine, machine.libc_version[1])


def _python(machine: Machine, name: str) -> Python:
    fit = [each for each in machine.pythons if each.implementation == "cpython" and each.version >= _OLDEST]
    fit = [each for each in fit if each.version[:2] <= _NEWEST_LITERT]
    for each in fit:
        if each.whole:
            return each
    if fit:
        raise DeviceError(
            f"{name}: {fit[0].place} lacks parts of Python's standard library: `sudo apt install python3` (or "
            f"libpython{fit[0].minor}-stdlib) there"
        )
    found = ", ".join(f"{each.implementation} {each.minor} ({each.place})" for each in machine.pythons)
    if machine.broken:
        others = f"; it has {found}" if found else ""
        raise DeviceError(
            f"{name} has no Python that edgevit can use: {machine.broken[0]} does not run{others}: mend that there "
            "(`sudo apt install --reinstall python3-minimal`)"
        )
    raise DeviceError(
        f"{name} has no Python that edgevit can use: CPython 3.{_OLDEST[1]} to 3.{_NEWEST_LITERT[1]} (it has "
        f"{found or 'none'}): `sudo apt install python3` there"
    )
