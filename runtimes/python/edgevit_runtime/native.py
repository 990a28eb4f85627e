"""Keeps LiteRT's start-up log off the user's terminal.

LiteRT has no switch for it in Python (google-ai-edge/LiteRT issue 7420), so standard error is set aside while native
code loads, and shown again when that fails. `EDGEVIT_NATIVE_LOG=1` lets everything through.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, what native code writes to standard error is held back; it is passed on if an exception leaves."""
    if os.environ.get("EDGEVIT_NATIVE_LOG") == "1":
        yield
        return
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all, as in some services
        yield
        return
    with _scratch() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            lines = [line for line in held.read().splitlines() if line.startswith(b"ERROR")]
            os.write(saved, b"".join(line + b"\n" for line in lines))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


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
