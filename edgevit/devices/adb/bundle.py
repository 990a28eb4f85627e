"""What a phone needs to run `edgevit-run`, put together on this machine: a C library, Python, the wheels, the runtime.

Android has no Python, and its C library is not what wheels for Linux are made for. So a bundle brings its own loader
and C library, and starts as `ld-linux-aarch64.so.1 --library-path lib bin/python3.11 -m edgevit_runtime`: nothing of it
has to lie where Debian has it, and nothing of the phone's is used.

A bundle is three archives, see `archives`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgevit.devices.adb import debian_packages
from edgevit.devices.archives import Archive, Entry, cache_folder, kept_archive, write_archive
from edgevit.devices.wheels import LEFT_OUT, Target, pins, runtime_files, wanted, wheel_files
from edgevit.errors import DeviceError, unknown_key

__all__ = ["ABIS", "PYTHON", "Abi", "abi_named", "bundle"]

PYTHON = "3.11"
"""Bookworm's; LiteRT, numpy and Pillow have wheels for it."""
GLIBC = 36
"""2.x: bookworm's C library."""


@dataclass(frozen=True)
class Abi:
    """One of Android's processor architectures in the words of Debian and of wheels."""

    debian: str
    machine: str
    loader: str


# https://developer.android.com/ndk/guides/abis. The 32-bit ones have no LiteRT.
ABIS: dict[str, Abi] = {
    "arm64-v8a": Abi("arm64", "aarch64", "ld-linux-aarch64.so.1"),  # every phone since about 2017
    "x86_64": Abi("amd64", "x86_64", "ld-linux-x86-64.so.2"),  # emulators, Chromebooks
}


def abi_named(name: str) -> Abi:
    """The ABI that a phone names (`ro.product.cpu.abi`). Raises `DeviceError` where LiteRT has no wheels for it."""
    if name not in ABIS:
        reason = str(unknown_key("ABI", name, ABIS))
        raise DeviceError(f"this phone's processor cannot run LiteRT: {reason}; --benchmark-model may")
    return ABIS[name]


def bundle(abi: Abi, folder: Path | None = None) -> tuple[Archive, Archive, Archive]:
    """The archives for an ABI: Python with its C library, the wheels, edgevit-runtime; made once, kept in `folder`.

    `folder` is the user's cache, unless named. The first time takes a network and about a minute; it leaves 0.15 GB.
    Raises `DeviceError` where a part of it cannot be fetched; nothing half-made stays.
    """
    folder = folder or cache_folder()
    packages = [digests[abi.debian] for digests in debian_packages.PACKAGES.values()]
    target, versions = Target(PYTHON, abi.machine, GLIBC), pins()
    return (
        kept_archive(
            folder, f"python-{abi.machine}", [*packages, *LEFT_OUT], lambda: _python(abi, folder / "packages")
        ),
        kept_archive(folder, f"wheels-{abi.machine}", [*versions, *LEFT_OUT], lambda: wheel_files(target, versions)),
        write_archive(folder, "runtime", runtime_files()),
    )


def _python(abi: Abi, packages: Path) -> Iterator[Entry]:
    """`bin/python3.11`, `lib/python3.11/…`, the packages' shared libraries flat in `lib/`, licences in `doc/`."""
    for package in debian_packages.PACKAGES:
        for path, content in debian_packages.members(debian_packages.fetch(package, abi.debian, packages)):
            where = PurePosixPath(path)
            if isinstance(content, str) and ("/" in content or ".so" not in where.name):
                continue  # links to other folders, none of which is taken over
            if path == f"usr/bin/python{PYTHON}":
                yield f"bin/{where.name}", content
            elif path.startswith(f"usr/lib/python{PYTHON}/") and wanted(path.removeprefix("usr/lib/")):
                yield path.removeprefix("usr/"), content
            elif where.parent.name == f"{abi.machine}-linux-gnu" and ".so" in where.name:
                yield f"lib/{where.name}", content
            elif where.name == "copyright":
                yield f"doc/{where.parent.name}/copyright", content
