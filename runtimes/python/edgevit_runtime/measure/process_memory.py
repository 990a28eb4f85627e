"""The resident memory of this process, on each system as that tells it."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


def peak_rss_bytes() -> int:
    """The peak since `reset_peak_rss`, or since the process began where that is not possible; 0 where nothing says."""
    return _status_bytes("VmHWM:") or _getrusage_bytes() or _windows_bytes("PeakWorkingSetSize")


def rss_bytes() -> int:
    """What is resident now, 0 where the system does not say: macOS tells a process its peak only."""
    return _status_bytes("VmRSS:") or _windows_bytes("WorkingSetSize")


def reset_peak_rss() -> None:
    """Linux starts a new peak from now on (man 5 proc, clear_refs); elsewhere nothing happens."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def _status_bytes(field: str) -> int:
    """A line of Linux's /proc/self/status, in kB there."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def _getrusage_bytes() -> int:
    """The peak as getrusage(2) has it: in bytes on macOS, in kB on Linux and the BSDs; Windows has no such call."""
    try:
        import resource
    except ImportError:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _windows_bytes(field: str) -> int:
    """A field of PROCESS_MEMORY_COUNTERS, as GetProcessMemoryInfo fills it."""
    if sys.platform != "win32":
        return 0
    import ctypes
    from ctypes import wintypes

    names = (
        "PeakWorkingSetSize", "WorkingSetSize", "QuotaPeakPagedPoolUsage", "QuotaPagedPoolUsage",
        "QuotaPeakNonPagedPoolUsage", "QuotaNonPagedPoolUsage", "PagefileUsage", "PeakPagefileUsage",
    )  # fmt: skip

    class Counters(ctypes.Structure):
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            *((name, ctypes.c_size_t) for name in names),
        )

    kernel: Any = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.K32GetProcessMemoryInfo.argtypes = (wintypes.HANDLE, ctypes.POINTER(Counters), ctypes.c_uint32)
    counters = Counters(cb=ctypes.sizeof(Counters))
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.cb):
        return 0
    return int(getattr(counters, field))
