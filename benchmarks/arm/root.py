"""The arm64 system that inferences are counted in: Debian with edgevit-runtime, and other engines' aarch64 wheels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from record import ROOT

PEERS = {
    "onnxruntime": "1.32.0",
    "openvino": "2026.4.1",
    "openvino-telemetry": "2025.2.0",
    "ncnn": "1.0.20261020",
}
"""Distribution -> the version whose counts docs/arm.md shows: their newest ones of 2026-12."""
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
    if folder.exists():
        return
    tags = [f"manylinux{each if each == '2014' else f'_{each}'}_aarch64" for each in _PLATFORMS]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)),
        *("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "abi3", "--abi", "none"),
        *("--only-binary", ":all:", *(word for tag in tags for word in ("--platform", tag))),
        *(f"{name}=={version}" for name, version in PEERS.items()),
        *_NEEDED_BY_PEERS,
    ]
    subprocess.run(command, check=True)
