"""The arm64 system that inferences are counted in: Debian with edgevit-runtime, and other engines' aarch64 wheels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from record import ROOT

PEERS = {
    "onnxruntime": "1.32.0",
    "openvino": "2026.4.1",
    "openvino-telemetry": "2025.2.0",
    "MNN": "3.6.1",
    "ncnn": "1.0.20261020",
}
"""Distribution -> the version whose counts docs/arm.md shows: their newest ones of 2026-12."""
EXECUTORCH = "1.5.1"
"""Its wheel, for the libraries and headers in it: its Python package wants PyTorch."""
_NEEDED_BY_PEERS = ("requests", "urllib3", "idna", "charset-normalizer", "certifi", "packaging")
_PLATFORMS = ("2_35", "2_34", "2_28", "2_27", "2_24", "2_17", "2014")


def make(root: Path) -> None:
    """Builds it with tools/arm64-root.sh, unless it is there; needs mmdebstrap, and a Debian mirror."""
    if not root.exists():
        environment = {"CONSTRAINTS": str(ROOT / "constraints.txt"), "PYTHON": sys.executable, **os.environ}
        subprocess.run([ROOT / "tools" / "arm64-root.sh", root], check=True, env=environment)


def add_peers(root: Path) -> None:
    """Puts the engines' wheels into `opt/peers`, unless they are there."""
    folder = root / "opt" / "peers"
    there = {each.name.lower() for each in folder.glob("*.dist-info")}
    missing = {name: version for name, version in PEERS.items() if _information(name, version) not in there}
    if not missing:
        return
    distributions = [f"{name}=={version}" for name, version in missing.items()]
    _install(folder, [*distributions, *(() if there else _NEEDED_BY_PEERS)])


def executorch(root: Path) -> Path:
    """The program executorch_run.cpp, built for arm64 with ExecuTorch's libraries in `opt/executorch`."""
    folder = root / "opt" / "executorch"
    program, source = folder / "executorch_run", Path(__file__).with_name("executorch_run.cpp")
    if not (folder / _information("executorch", EXECUTORCH)).exists():
        _install(folder, [f"executorch=={EXECUTORCH}"])
        program.unlink(missing_ok=True)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("aarch64-linux-gnu-g++") or sys.exit("apt install g++-aarch64-linux-gnu")
        include, library = folder / "executorch" / "include", folder / "executorch" / "lib"
        portable = include / "executorch" / "runtime" / "core" / "portable_type" / "c10"
        libraries = ("", "_backend_xnnpack", "_kernels_optimized", "_kernels_quantized", "_threadpool")
        command: list[str | Path] = [
            *(compiler, "-std=c++17", "-O1", "-w", "-DC10_USING_CUSTOM_GENERATED_MACROS"),
            *(f"-I{include}", f"-I{portable}", source, "-o", program, f"-L{library}", f"-Wl,-rpath,{library}"),
            *("-Wl,--no-as-needed", *(f"-lexecutorch{each}" for each in libraries), "-Wl,--allow-shlib-undefined"),
        ]
        subprocess.run(command, check=True)
    return program


def _install(folder: Path, distributions: Sequence[str]) -> None:
    """arm64 wheels of those, and of nothing that they need."""
    tags = [f"manylinux{each if each == '2014' else f'_{each}'}_aarch64" for each in _PLATFORMS]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)),
        *("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "abi3", "--abi", "none"),
        *("--only-binary", ":all:", *(word for tag in tags for word in ("--platform", tag))),
        *distributions,
    ]
    subprocess.run(command, check=True)


def _information(name: str, version: str) -> str:
    """The folder that pip leaves beside a distribution, in small letters."""
    return f"{name.replace('-', '_')}-{version}.dist-info".lower()
