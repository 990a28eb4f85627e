"""Devices by the names that users give them."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.devices.adb.adb_device import adb_device
from edgevit.devices.adb.phone_installation import PhoneInstallation
from edgevit.devices.device import Device
from edgevit.devices.installation import Installation
from edgevit.devices.local_device import LocalDevice
from edgevit.devices.ssh.linux_installation import LinuxInstallation
from edgevit.devices.ssh.ssh_device import ssh_device
from edgevit.errors import ConfigError, unknown_key

__all__ = ["SCHEMES", "device", "home", "scheme"]

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


def home(name: str, *, online: bool = False) -> Installation:
    """edgevit's folder on the device of that name. `online`: what it needs is fetched by the device itself.

    Raises `ConfigError` for a device that has none, else as `device`.
    """
    kind, address = scheme(name), name.partition("://")[2]
    if kind == "ssh":
        return LinuxInstallation(ssh_device(address), online)
    if online:
        raise ConfigError(f"--online is for ssh://, not for {name}")
    if kind == "adb":
        return PhoneInstallation(adb_device(address))
    raise ConfigError("local is this machine: `edgevit-run` is here already")
