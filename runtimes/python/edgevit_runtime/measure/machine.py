"""What this machine is, for a profile that somebody else will read."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping
from typing import Any

# "CPU part" of Arm's own designs; the kernel's arch/arm64/include/asm/cputype.h has them.
_ARM_PARTS = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0D: "Cortex-A77",
    0xD41: "Cortex-A78",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD48: "Cortex-X2",
    0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
    0xD82: "Cortex-X4",
}

_INT8_DOT_PRODUCTS = ("avx_vnni_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")
"""As Linux names the instructions in /proc/cpuinfo: of x86-64, then of Arm."""


def describe(backend: str, version: str) -> dict[str, Any]:
    """The machine, its system and the interpreter, as JSON values."""
    return {
        "name": "local",
        "model": _board() or _cpu_model() or platform.machine(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "int8_dot_products": int8_dot_products(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "backend": backend,
        "version": version,
    }


def _board(root: str = "/") -> str:
    """A Raspberry Pi says here what it is."""
    with (
        contextlib.suppress(OSError),
        open(os.path.join(root, "proc/device-tree/model"), encoding="utf-8", errors="replace") as file,
    ):
        return file.read().strip("\0\n ")
    return ""


def _cpu_model(root: str = "/") -> str:
    """The processor's name; on Arm of each kind of core: `4 x Cortex-A55 + 2 x Cortex-A76`.

    Some Arm kernels have names too, that tell less: `ARMv7 Processor rev 3 (v7l)`, and BCM2835 for every Raspberry Pi.
    """
    kinds: dict[str, int] = {}
    names: dict[str, str] = {}
    with (
        contextlib.suppress(OSError),
        open(os.path.join(root, "proc/cpuinfo"), encoding="utf-8", errors="replace") as file,
    ):
        for line in file:
            name, _, value = line.partition(":")
            names.setdefault(name.strip().lower(), value.strip())
            if name.strip() == "CPU part":
                with contextlib.suppress(ValueError):
                    kind = _ARM_PARTS.get(int(value, 16), f"Arm core {value.strip()}")
                    kinds[kind] = kinds.get(kind, 0) + 1
    cores = " + ".join(f"{count} x {kind}" for kind, count in kinds.items())
    return cores or names.get("model name") or names.get("hardware") or platform.processor()


def int8_dot_products(root: str = "/") -> list[str] | None:
    """The processor's instructions that multiply and add int8, by their names in /proc/cpuinfo; None: not to be told.

    Without any (Cortex-A72, x86-64 before VNNI) int8 may be no faster than float32. Of several kinds of cores only what
    all have: a thread may run on any.
    """
    cores = []
    with (
        contextlib.suppress(OSError),
        open(os.path.join(root, "proc/cpuinfo"), encoding="utf-8", errors="replace") as file,
    ):
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):
                cores.append(set(value.split()))
    if not cores:
        return None
    return [each for each in _INT8_DOT_PRODUCTS if each in set.intersection(*cores)]


def int8_may_be_slow(device: Mapping[str, Any], recipe: str) -> bool:
    """Whether float32 may be as fast as `recipe` on a device as `describe` has it; no, where it does not say.

    64-bit Arm gains without them, too: a Cortex-A72 takes 0.69 of float32's cycles (docs/arm.md).
    """
    lacks = device.get("int8_dot_products") == [] and device.get("machine") not in ("aarch64", "arm64")
    return lacks and recipe not in ("float32", "float16")


def _memory_bytes() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None
