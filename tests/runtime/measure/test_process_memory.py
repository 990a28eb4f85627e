"""Memory in bytes, on whichever system: what each says is put in the place of what this one says."""

import ctypes
import sys
import types

import pytest

from edgevit_runtime.measure import process_memory
from edgevit_runtime.measure.process_memory import peak_rss_bytes, rss_bytes


@pytest.fixture
def no_proc(monkeypatch):
    monkeypatch.setattr(process_memory, "_status_bytes", lambda field: 0)


def test_this_system_in_bytes():
    assert 5_000_000 < rss_bytes() <= peak_rss_bytes() < 2**40


@pytest.mark.parametrize(
    ("platform", "said", "peak"),
    [("darwin", 50_000_000, 50_000_000), ("linux", 50_000, 51_200_000), ("freebsd14", 1, 1024)],
)
def test_getrusage_has_two_units(monkeypatch, no_proc, platform, said, peak):
    """macOS says bytes, the others kB."""
    usage = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=said))
    monkeypatch.setitem(sys.modules, "resource", usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_rss_bytes() == peak
    assert rss_bytes() == 0


def test_windows_has_no_resource(monkeypatch, no_proc):
    class Kernel:
        """Fills the structure as Windows does."""

        class GetCurrentProcess:
            def __new__(cls):
                return -1

        class K32GetProcessMemoryInfo:
            def __new__(cls, process, counters, size):
                assert size == ctypes.sizeof(counters._obj) == 8 + 8 * ctypes.sizeof(ctypes.c_size_t)
                counters._obj.PeakWorkingSetSize, counters._obj.WorkingSetSize = 70_000_000, 60_000_000
                return 1

    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: Kernel, raising=False)
    assert (peak_rss_bytes(), rss_bytes()) == (70_000_000, 60_000_000)
    monkeypatch.setattr(Kernel, "K32GetProcessMemoryInfo", lambda *_: 0)
    assert (peak_rss_bytes(), rss_bytes()) == (0, 0)


def test_a_system_that_says_nothing(monkeypatch, no_proc):
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(sys, "platform", "another")
    assert (peak_rss_bytes(), rss_bytes()) == (0, 0)
