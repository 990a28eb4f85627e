"""What a phone needs to run `edgevit-run`, put together on this machine: a C library, Python, the wheels, the runtime.

Android has no Python, and its C library is not what wheels for Linux are made for. So a bundle brings its own loader
and C library, and starts as `ld-linux-aarch64.so.1 --library-path lib bin/python3.11 -m edgevit_runtime`: nothing of it
has to lie where Debian has it, and nothing of the phone's is used.

A bundle is layers, each a tar file named by its content's digest: when only the runtime
changed, the wheels stay where they are.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path, PurePosixPath

import edgevit_runtime
from edgevit_runtime import cache

from edgevit.devices import debian
from edgevit.errors import DeviceError, unknown_key

__all__ = ["ABIS", "PYTHON", "Abi", "Layer", "abi_named", "bundle"]

PYTHON = "3.11"
"""Bookworm's; LiteRT, numpy and Pillow have wheels for it."""
GLIBC = (36, 35, 34, 31, 28, 27, 24, 17)
"""2.x: wheels made for bookworm's C library (2.36) or an older one will do."""
REQUIRED = ("numpy", "ai-edge-litert", "pillow")
"""In the versions that this machine has: what is compared differs in the machine only."""


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

# Of Python and the wheels, what no run of a model needs (0.1 GB).
_LEFT_OUT = (
    *("*.dist-info/RECORD", "*.pyi", "*.a", "*.h", "*.lib", "*/__pycache__/*", "*/tests/*", "bin/*", "numpy/f2py/*"),
    *("ai_edge_litert/aot/*", "ai_edge_litert/tools/*", "ai_edge_litert/vendors/*"),
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",  # for a browser's GPU; the runtime uses the CPU
    *(f"python3.11/{name}/*" for name in ("idlelib", "lib2to3", "pydoc_data", "tkinter", "turtledemo", "ensurepip")),
)


@dataclass(frozen=True)
class Layer:
    """A folder of the bundle as a tar file of this machine's cache. Equal names mean equal contents."""

    name: str
    file: Path


def abi_named(name: str) -> Abi:
    """The ABI that a phone names (`ro.product.cpu.abi`). Raises `DeviceError` where LiteRT has no wheels for it."""
    if name not in ABIS:
        reason = str(unknown_key("ABI", name, ABIS))
        raise DeviceError(f"this phone's processor cannot run LiteRT: {reason}; --benchmark-model may")
    return ABIS[name]


def bundle(abi: Abi, folder: Path | None = None) -> tuple[Layer, Layer, Layer]:
    """The layers for an ABI: Python with its C library, the wheels, edgevit-runtime. Made once, then kept in `folder`.

    `folder` is the user's cache, unless named. The first time takes a network and about a minute; it leaves 0.15 GB.
    Raises `DeviceError` where a part of it cannot be fetched; nothing half-made stays.
    """
    folder = folder or Path(cache.folder()) / "bundles"
    pins = [digests[abi.debian] for digests in debian.PACKAGES.values()]
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in REQUIRED]
    return (
        _kept(folder, f"python-{abi.machine}", pins, lambda: _python(abi, folder / "packages")),
        _kept(folder, f"wheels-{abi.machine}", versions, lambda: _wheels(abi, versions)),
        _layer(folder, "runtime", _runtime()),
    )


Entry = tuple[str, bytes | str]
"""A file's path in its layer and its bytes; for a symbolic link, the text it points to."""


def _kept(folder: Path, name: str, made_of: Iterable[str], make: Callable[[], Iterator[Entry]]) -> Layer:
    """The layer made of these parts: as it was made before, or else made now and noted."""
    key = hashlib.sha256("\n".join([*made_of, *_LEFT_OUT]).encode()).hexdigest()[:16]
    note = folder / f"{name}.{key}"
    if note.is_file() and (file := folder / f"{note.read_text()}.tar").is_file():
        return Layer(file.stem, file)
    layer = _layer(folder, name, make())
    _put(note, layer.name.encode())
    return layer


def _layer(folder: Path, name: str, entries: Iterable[Entry]) -> Layer:
    """Writes a layer's tar: sorted, without times and owners, so that equal files give equal digests."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial") as partial:
        with tarfile.open(fileobj=partial, mode="w", format=tarfile.GNU_FORMAT) as tree:
            for path, content in sorted(entries):
                member = tarfile.TarInfo(path)
                if isinstance(content, str):
                    member.type, member.linkname = tarfile.SYMTYPE, content
                    tree.addfile(member)
                else:
                    member.size, member.mode = len(content), 0o755 if content[:4] == b"\x7fELF" else 0o644
                    tree.addfile(member, BytesIO(content))
        partial.flush()
        partial.seek(0)
        digest = hashlib.file_digest(partial, "sha256").hexdigest()
        layer = Layer(f"{name}-{digest[:12]}", folder / f"{name}-{digest[:12]}.tar")
        if not layer.file.exists():
            os.link(partial.name, layer.file)
    return layer


def _python(abi: Abi, packages: Path) -> Iterator[Entry]:
    """`bin/python3.11`, `lib/python3.11/…`, the packages' shared libraries flat in `lib/`, licences in `doc/`."""
    for package in debian.PACKAGES:
        for path, content in debian.members(debian.fetch(package, abi.debian, packages)):
            where = PurePosixPath(path)
            if isinstance(content, str) and ("/" in content or ".so" not in where.name):
                continue  # links to other folders, none of which is taken over
            if path == f"usr/bin/python{PYTHON}":
                yield f"bin/{where.name}", content
            elif path.startswith(f"usr/lib/python{PYTHON}/") and _wanted(path.removeprefix("usr/lib/")):
                yield path.removeprefix("usr/"), content
            elif where.parent.name == f"{abi.machine}-linux-gnu" and ".so" in where.name:
                yield f"lib/{where.name}", content
            elif where.name == "copyright":
                yield f"doc/{where.parent.name}/copyright", content


def _wheels(abi: Abi, versions: list[str]) -> Iterator[Entry]:
    """What pip unpacks for the phone's Python, without what no run needs."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-input", "--target", target, "--only-binary", ":all:", "--implementation", "cp"]
        command += ["--python-version", PYTHON, "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
        for minor in GLIBC:
            command += ["--platform", f"manylinux_2_{minor}_{abi.machine}"]
        command += ["--platform", f"manylinux2014_{abi.machine}", *versions]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise DeviceError(
                f"pip cannot fetch {', '.join(versions)} for {abi.machine}: {said[-1] if said else done.returncode}"
            )
        for file in Path(target).rglob("*"):
            path = file.relative_to(target).as_posix()
            if file.is_file() and _wanted(path):
                yield path, file.read_bytes()


def _runtime() -> Iterator[Entry]:
    """edgevit_runtime, as it is installed here."""
    folder = Path(edgevit_runtime.__file__).parent
    for file in folder.glob("*.py"):
        yield f"{folder.name}/{file.name}", file.read_bytes()


def _wanted(path: str) -> bool:
    return not any(fnmatch(path, pattern) for pattern in _LEFT_OUT)


def _put(file: Path, content: bytes) -> None:
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(file)
