"""The wheels that edgevit-runtime needs, fetched by this machine's pip for another machine, and the runtime itself."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import edgevit_runtime
from edgevit.devices.archives import Entry
from edgevit.devices.command_errors import said
from edgevit.errors import DeviceError

__all__ = [
    *("BY_DIGEST", "LEFT_OUT", "REQUIRED", "Target", "locked_wheels", "no_index", "pins", "requirements"),
    *("runtime_files", "wanted", "wheel_files"),
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
_PIP = (sys.executable, "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
BY_DIGEST = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
"""What makes a pip take the lines of `locked_wheels`, and those bytes alone; no code of a package runs for it."""
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


def locked_wheels(target: Target, *needs: Sequence[str]) -> list[str]:
    """The wheels that this machine's pip chooses for that target, each as `name==version --hash=sha256:…`.

    needs: the first of them that can be had counts. Nothing is installed. Whoever fetches them, on whatever network,
    gets these bytes or none. Raises `DeviceError` where none can be had.
    """
    for number, versions in enumerate(needs, 1):
        with tempfile.TemporaryDirectory() as folder:
            command = [*_PIP, "--dry-run", "--report", f"{folder}/report.json", "--target", folder]
            done = _run([*command, *target.options(), *versions])
            if done.returncode == 0:
                report = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
                return [_locked(each) for each in report["install"]]
            if number == len(needs) or no_index(done.stderr):
                raise DeviceError(_not_fetched(", ".join(versions), target, done))
    return []


def _locked(entry: Mapping[str, Any]) -> str:
    """Of an entry of pip's report, https://pip.pypa.io/en/stable/reference/installation-report/."""
    name, found = entry["metadata"]["name"], entry["download_info"]
    digest = found.get("archive_info", {}).get("hashes", {}).get("sha256")
    if not digest:
        raise DeviceError(f"the package index does not say the SHA-256 of {name}: nothing was fetched")
    which = f"{name} @ {found['url']}" if entry.get("is_direct") else f"{name}=={entry['metadata']['version']}"
    return f"{which} --hash=sha256:{digest}"


def wheel_files(target: Target, *needs: Sequence[str]) -> Iterator[Entry]:
    """What pip unpacks for that target, without what no run needs; the first of `needs` that can be had.

    Raises `DeviceError` where none can.
    """
    wheels = locked_wheels(target, *needs)
    with tempfile.TemporaryDirectory() as folder:
        lock, tree = Path(folder) / "lock.txt", Path(folder) / "tree"
        lock.write_text("\n".join(wheels), encoding="utf-8")
        done = _run([*_PIP, *BY_DIGEST, "--target", str(tree), *target.options(), "--requirement", str(lock)])
        if done.returncode:
            raise DeviceError(_not_fetched(f"{len(wheels)} wheels", target, done))
        for file in tree.rglob("*"):
            path = file.relative_to(tree).as_posix()
            if file.is_file() and wanted(path):
                yield path, file.read_bytes()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace")


def _not_fetched(what: str, target: Target, done: subprocess.CompletedProcess[str]) -> str:
    why = no_index(done.stderr) or said(done.stderr) or f"exit code {done.returncode}"
    return f"pip cannot fetch {what} for {target}: {why}"


def no_index(stderr: str) -> str:
    """What to say where pip found no package index that has a package at all; empty where it found one."""
    if "(from versions: none)" not in stderr:
        return ""
    why = re.search(r"Failed to establish a new connection: (?:\[Errno -?\d+\] )?([^'\")]+)", stderr)
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
