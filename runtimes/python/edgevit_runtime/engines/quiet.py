"""Keeps LiteRT's start-up log off the user's terminal.

LiteRT has no switch for it in Python (google-ai-edge/LiteRT issue 7420), so standard error is set aside while native
code loads, and shown again when that fails. `EDGEVIT_NATIVE_LOG=1` lets everything through.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO


class _Aside:
    """Standard error, set aside by the first of the threads that want it so, and taken back by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._saved = -1
        self._held: IO[bytes]

    def put(self) -> bool:
        """Whether there is any: some services have no standard error at all."""
        with self._lock:
            if self._threads == 0:
                try:
                    self._saved = os.dup(2)
                except OSError:
                    return False
                self._held = _scratch()
                os.dup2(self._held.fileno(), 2)
            self._threads += 1
            return True

    def show(self) -> None:
        """Passes on the errors that were held back."""
        with self._lock:
            self._held.seek(0)
            lines = [line for line in self._held.read().splitlines() if line.startswith(b"ERROR")]
            os.write(self._saved, b"".join(line + b"\n" for line in lines))

    def take_back(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                os.dup2(self._saved, 2)
                os.close(self._saved)
                self._held.close()


_ASIDE = _Aside()


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
