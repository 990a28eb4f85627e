"""The wheels that edgevit-runtime needs, fetched by this machine's pip for another machine, and the runtime itself."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import edgevit_runtime
from edgevit.devices.archives import Entry
from edgevit.devices.command_errors import said
from edgevit.errors import DeviceError

__all__ = [
    *("LEFT_OUT", "REQUIRED", "Target", "no_index", "pins", "requirements", "runtime_files", "wanted"),
    "wheel_files",
]

REQUIRED = ("numpy", "ai-edge-litert", "pillow")
"""edgevit-runtime's needs, with pictures."""

# Of Python and the wheels, what no run of a model needs (0.1 GB).
LEFT_OUT = (
    *("*.dist-info/RECORD", "*.pyi", "*.a", "*.h", "*.lib", "*/__pycache__/*", "*/tests/*", "bin/*", "numpy/f2py/*"),
    *("ai_edge_litert/aot/*", "ai_edge_litert/tools/*", "ai_edge_litert/vendors/*"),
    "ai_edge_litert/libLiteRtWebGpuAccelerator.so",  # for a browser's GPU; the runtime uses the CPU
    *(f"python3.11/{name}/*" for name in ("idlelib", "lib2to3", "pydoc_data", "tkinter", "turtledemo", "ensurepip")),
)
_OLDEST_GLIBC = 17  # manylinux2014, https://peps.python.org/pep-0599/


@dataclass(frozen=True)
class Target:
    """What a wheel has to fit."""

    python: str
    """`3.11`; CPython."""
    machine: str
    """As `uname -m` and wheels name it: aarch64, x86_64."""
    glibc: int
    """The 36 of 2.36; wheels made for an older one fit too, https://peps.python.org/pep-0600/."""

    def __str__(self) -> str:
        return f"Python {self.python} on {self.machine} with glibc 2.{self.glibc}"

    def options(self) -> list[str]:
        """How pip is told."""
        abi = f"cp{self.python.replace('.', '')}"
        words = ["--implementation", "cp", "--python-version", self.python, "--only-binary", ":all:"]
        words += ["--abi", abi, "--abi", "abi3", "--abi", "none"]
        for minor in range(self.glibc, _OLDEST_GLIBC - 1, -1):
            words += ["--platform", f"manylinux_2_{minor}_{self.machine}"]
        return [*words, "--platform", f"manylinux2014_{self.machine}"]


def pins() -> list[str]:
    """The needs in the versions that this machine has: then what is compared differs in the machine only."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in REQUIRED]


def requirements() -> list[str]:
    """The needs as edgevit-runtime states them, for a Python that the versions of this machine are not made for."""
    rows = [row.partition(";") for row in importlib.metadata.requires("edgevit-runtime") or ()]
    return [need.strip() for need, _, when in rows if "extra" not in when or "pictures" in when]


def wheel_files(target: Target, *needs: Sequence[str]) -> Iterator[Entry]:
    """What pip unpacks for that target, without what no run needs; the first of `needs` that can be had.

    Raises `DeviceError` where none can.
    """
    for number, versions in enumerate(needs, 1):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command += ["--no-input", "--target", folder, *target.options(), *versions]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
            if done.returncode == 0:
                for file in Path(folder).rglob("*"):
                    path = file.relative_to(folder).as_posix()
                    if file.is_file() and wanted(path):
                        yield path, file.read_bytes()
                return
            if number == len(needs) or no_index(done.stderr):
                line = said(done.stderr) or f"exit code {done.returncode}"
                raise DeviceError(
                    f"pip cannot fetch {', '.join(versions)} for {target}: {no_index(done.stderr) or line}"
                )


def no_index(stderr: str) -> str:
    """What to say where pip found no package index that has a package at all; empty where it found one."""
    if "(from versions: none)" not in stderr:
        return ""
    why = re.search(r"Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^']+)", stderr)
    return (
        f"it reaches no package index that has them{f' ({why[1]})' if why else ''}: is there a network? "
        "`pip config list` and $PIP_INDEX_URL say which index, $HTTPS_PROXY which proxy it takes"
    )


def runtime_files() -> Iterator[Entry]:
    """edgevit_runtime as it is installed here, from a wheel or from its source folder."""
    folder = Path(edgevit_runtime.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        yield f"{folder.name}/{file.relative_to(folder).as_posix()}", file.read_bytes()


def wanted(path: str) -> bool:
    """Whether any run of a model may need this file."""
    return not any(fnmatch(path, pattern) for pattern in LEFT_OUT)
