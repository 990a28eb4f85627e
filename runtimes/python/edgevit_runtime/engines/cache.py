"""What is kept between runs in the user's cache folder: packed weights, proofs of verification, measured latencies.

Everything here is a convenience: where the folder cannot be written, is full, or holds nonsense, things only take
longer. Files are made beside their place and renamed, so that several processes can share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import threading
import time
from typing import IO

from edgevit_runtime.atomic_write import is_partial, replacing

STALE_SECONDS = 3600
"""No process takes so long to write a file."""
CHUNK_BYTES = 2**20
KEPT_BYTES = 2**28
"""The most that is kept: artefacts come and go, and an SD card is small. What was used last stays."""


def folder() -> str:
    """`$XDG_CACHE_HOME/edgevit`, or `~/.cache/edgevit`."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(root, "edgevit")


def device_key(digest: bytes, *what: object) -> str:
    """A file name's stem for what holds for this artefact, on this processor, under these circumstances."""
    text = " ".join(map(str, (platform.machine(), cpu_flags(), *what)))
    return hashlib.sha256(digest + text.encode()).hexdigest()[:32]


def cpu_flags() -> str:
    """The processor's instruction sets: packed weights depend on them."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.lower().startswith(("flags", "features")):
                return line.partition(":")[2].strip()
    return platform.processor()


def read(name: str) -> bytes | None:
    """The file `name` of the folder, or None."""
    try:
        with open(os.path.join(folder(), name), "rb") as file:
            return file.read()
    except OSError:
        return None


def write(name: str, content: bytes | IO[bytes]) -> None:
    """Puts the file there, or does nothing where that is not possible; what was not used for longest may go for it."""
    with contextlib.suppress(OSError):
        place = new_place(os.path.join(folder(), name))
        with replacing(place) as partial, open(partial, "wb") as file:
            for chunk in [content] if isinstance(content, bytes) else iter(lambda: content.read(CHUNK_BYTES), b""):
                file.write(chunk)
        _trim()


def used(place: str) -> None:
    """Notes that a file was of use just now."""
    with contextlib.suppress(OSError):
        os.utime(place)


def _trim() -> None:
    """Removes what is beyond `KEPT_BYTES`, all but the newest. A process that maps such a file keeps what it maps."""
    files = [each for each in os.scandir(folder()) if each.is_file() and not is_partial(each.name)]
    kept = 0
    for place, entry in sorted(((each.path, each.stat()) for each in files), key=lambda each: -each[1].st_mtime):
        kept += entry.st_size
        if kept > KEPT_BYTES and kept > entry.st_size:
            with contextlib.suppress(OSError):  # another process may be quicker
                os.unlink(place)


def write_behind(name: str, file: IO[bytes]) -> threading.Thread:
    """`write` while others go on; `file` is closed at its end."""

    def copy() -> None:
        with file:
            write(name, file)

    thread = threading.Thread(target=copy, name="edgevit-cache")
    thread.start()
    return thread


def new_place(place: str) -> str:
    """`place`, where a file is about to be made: there is a folder for it, and nothing in it that was given up."""
    beside = os.path.dirname(place)
    os.makedirs(beside, exist_ok=True)
    for each in os.scandir(beside):
        with contextlib.suppress(OSError):  # of a process that was killed
            if is_partial(each.name) and time.time() - each.stat().st_mtime > STALE_SECONDS:
                os.unlink(each.path)
    return place
