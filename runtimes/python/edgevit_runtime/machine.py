"""What this machine is, for a profile that somebody else will read."""

from __future__ import annotations

import contextlib
import os
import platform
from typing import Any


def describe(backend: str, version: str) -> dict[str, Any]:
    """The machine, its system and the interpreter, as JSON values."""
    return {
        "name": "local",
        "model": _board() or _cpu_model() or platform.machine(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "backend": backend,
        "version": version,
    }


def _board() -> str:
    """A Raspberry Pi says here what it is."""
    with (
        contextlib.suppress(OSError),
        open("/proc/device-tree/model", encoding="utf-8", errors="replace") as file,
    ):
        return file.read().strip("\0\n ")
    return ""


def _cpu_model() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.lower().startswith(("model name", "hardware")):
                return line.partition(":")[2].strip()
    return platform.processor()


def _memory_bytes() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
