"""Runs inferences in the emulated Arm system and says which blocks of instructions ran, how often.

qemu-user runs real aarch64 wheels, and a plugin of ours (count_blocks.c) counts. One thread alone is counted exactly:
kernels' counts are the same on every PC, however busy; the Python around them wavers by some ten instructions.

Needs Debian's packages qemu-user, llvm-19 and gcc (`apt install --no-install-recommends qemu-user llvm-19 gcc`: what
qemu-user recommends would take qemu-user-static away), and a root made by `arm.root`. qemu-user-static has no plugins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arm.pipeline import Block, Pipeline
from record import BUILD

HERE = Path(__file__).resolve().parent
TOOLS = {"qemu-aarch64": "qemu-user", "llvm-mc-19": "llvm-19", "llvm-mca-19": "llvm-19", "cc": "gcc"}
"""Programs, and the Debian packages that they come with."""


def lacking() -> list[str]:
    """The Debian packages that are not installed."""
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})


def check_tools() -> None:
    """Says what to install, and ends."""
    if lacking():
        sys.exit(f"apt install --no-install-recommends {' '.join(lacking())}")


def plugin() -> Path:
    """count_blocks.c, compiled."""
    path, source = BUILD / "count_blocks.so", HERE / "count_blocks.c"
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            made = Path(folder) / path.name
            subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", made, source], check=True)
            made.replace(path)
    return path


def blocks_of(root: Path, processor: str, program: Sequence[str | Path], **environment: str) -> list[Counter[Block]]:
    """What ran between the marks of a program in the system at `root`: a count for each pair of marks, in order.

    program: as the emulated system is to run it, such as `[root / "usr/bin/python3.11", "guest.py", ...]`.
    Ends with the program's own words where it fails.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        to = Path(folder) / "blocks.txt"
        settings = {
            "PYTHONPATH": f"{root / 'opt' / 'edgevit'}:{root / 'opt' / 'peers'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1",  # ncnn's pool: threads that run at once may lose counts
            **environment,
        }
        command = [
            *("qemu-aarch64", "-L", root / "cpu" / processor, "-cpu", processor),
            *("-plugin", f"{plugin()},to={to}"),
            *program,
        ]
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        done = subprocess.run(command, capture_output=True, text=True, env={**kept, **settings})
        if done.returncode or not to.is_file():
            said = (done.stderr or done.stdout)[-2000:]
            sys.exit(f"{' '.join(map(str, program))} did not run as a {processor}: {said}")
        return read_blocks(to)


def in_python(root: Path, script: str, *words: str | Path) -> list[str | Path]:
    """A script of this folder as a program of the emulated system."""
    return [root / "usr" / "bin" / "python3.11", HERE / script, *words]


def counted(root: Path, model: Path, signature: str | None = None, *, processor: str = "cortex-a76") -> dict[str, Any]:
    """Of one inference, one thread, in the system at `root`: `instructions`, `cycles`, and instructions by kind.

    signature: of an artefact, such as `classify_224`; None: any `.tflite`, by LiteRT's interpreter.
    """
    words = [signature] if signature else []
    (blocks,) = blocks_of(root, processor, in_python(root, "guest.py", model, *words))
    return Pipeline(processor).estimated(blocks)


def read_blocks(path: Path) -> list[Counter[Block]]:
    """What count_blocks.c wrote: for each pair of marks how often each block ran."""
    found: list[Counter[Block]] = []
    now: Counter[Block] = Counter()
    for line in path.read_text(encoding="ascii").splitlines():
        times, *code = line.split()
        if times == "end":
            found.append(now)
            now = Counter()
        else:
            now[tuple(code)] += int(times)
    return found
