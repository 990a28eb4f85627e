"""Keeps LiteRT's start-up log off the user's terminal.

LiteRT has no switch for it in Python (google-ai-edge/LiteRT issue 7420), so standard error is set aside while native
code loads, and shown again when that fails. `EDGEVIT_NATIVE_LOG=1` lets everything through. Its GPU accelerator logs to
standard output too, where `--json` would have it among the answers: `quiet_output`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO


class _Aside:
    """Standard error (2) or output (1), set aside by the first thread that wants it so, taken back by the last."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._threads = 0
        self._saved = -1
        self._held: IO[bytes]

    def put(self) -> bool:
        """Whether there is any: some services have none at all."""
        with self._lock:
            if self._threads == 0:
                try:
                    self._saved = os.dup(self._descriptor)
                except OSError:
                    return False
                self._held = _scratch()
                os.dup2(self._held.fileno(), self._descriptor)
            self._threads += 1
            return True

    def show(self) -> None:
        """Passes on the errors that were held back."""
        with self._lock:
            self._held.seek(0)
            lines = [line for line in self._held.read().splitlines() if line.startswith(b"ERROR")]
            os.write(self._saved, b"".join(line + b"\n" for line in lines))

    def show_others(self) -> None:
        """Passes on what is not LiteRT's: another thread may have had something to say."""
        with self._lock:
            self._held.seek(0)
            for line in self._held.read().splitlines(keepends=True):
                if not line.startswith(_LOGGED):
                    os.write(self._saved, line)
            self._held.seek(0)
            self._held.truncate()

    def take_back(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                os.dup2(self._saved, self._descriptor)
                os.close(self._saved)
                self._held.close()


_LOGGED = (b"INFO: ", b"WARNING: ", b"ERROR: ")
_ASIDE, _OUTPUT_ASIDE = _Aside(2), _Aside(1)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, what native code writes to standard error is held back; it is passed on if an exception leaves.

    Standard error is the process's: while any thread is within, no thread's is shown.
    """
    if os.environ.get("EDGEVIT_NATIVE_LOG") == "1":
        yield
        return
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    if not _ASIDE.put():
        yield
        return
    try:
        yield
    except BaseException:
        _ASIDE.show()
        raise
    finally:
        _ASIDE.take_back()


@contextlib.contextmanager
def quiet_output() -> Iterator[None]:
    """Within, lines that LiteRT logs to standard output are dropped; what else goes there comes behind it."""
    if os.environ.get("EDGEVIT_NATIVE_LOG") == "1":
        yield
        return
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    if not _OUTPUT_ASIDE.put():
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # what C's own buffer holds would come out later
            import ctypes

            ctypes.CDLL(None).fflush(None)
        _OUTPUT_ASIDE.show_others()
        _OUTPUT_ASIDE.take_back()


def logs_of(gpu: str | None) -> contextlib.AbstractContextManager[None]:
    """`quiet_output` where a GPU is asked for, a precision or None; else nothing: standard output is left alone."""
    return quiet_output() if gpu else contextlib.nullcontext()


def _scratch() -> IO[bytes]:
    """A file in memory where the system has such; a disk may be full, or read-only."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("edgevit"), "w+b", buffering=0)
    import tempfile

    return tempfile.TemporaryFile(buffering=0)


def silence_exit() -> None:
    """For a command that has said all it has to say: LiteRT logs once more while the process ends."""
    if os.environ.get("EDGEVIT_NATIVE_LOG") == "1":
        return
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
