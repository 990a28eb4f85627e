"""Devices by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.devices.adb import adb_device
from edgevit.devices.device import Device
from edgevit.devices.local import LocalDevice
from edgevit.devices.ssh import ssh_device
from edgevit.errors import unknown_key

__all__ = ["SCHEMES", "device", "scheme"]

# What stands before `://`: what makes a device of the rest.
SCHEMES: dict[str, Callable[[str], Device]] = {
    "ssh": ssh_device,  # RFC 3986's form, as git and curl write it: [user@]host[:port]
    "adb": adb_device,  # a phone's serial, as `adb devices` lists it, or nothing where there is only one
}
_KNOWN = ("local", "ssh://[USER@]HOST[:PORT]", "adb://[SERIAL]")


def scheme(name: str) -> str:
    """`ssh`, `adb`, or `local`. Raises `ConfigError` for a name that no device can have."""
    before, found, _ = name.partition("://")
    if name == "local" or (found and before in SCHEMES):
        return before
    raise unknown_key("device", name, _KNOWN)


def device(name: str) -> Device:
    """The device of that name. Raises `ConfigError` for a name of none, `DeviceError` for one that does not answer."""
    kind = scheme(name)
    return LocalDevice() if kind == "local" else SCHEMES[kind](name.partition("://")[2])
