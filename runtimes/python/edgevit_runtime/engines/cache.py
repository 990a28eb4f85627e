"""What is kept between runs in the user's cache folder: packed weights, proofs of verification, measured latencies.

Everything here is a convenience: where the folder cannot be written, is full, or holds nonsense, things only take
longer. Files are made beside their place and renamed, so that several processes can share the folder. Each is called
by a digest of its name and content, which is held against it before it is used: one bit that a worn SD card lost in
packed weights would change answers without a word.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import threading
import time
import warnings
from collections.abc import Iterator
from typing import IO

from edgevit_runtime.atomic_write import beside, is_partial

STALE_SECONDS = 3600
"""No process takes so long to write a file."""
CHUNK_BYTES = 2**20
DIGEST_LETTERS = 32
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
    """What is kept as `name`, or None where nothing is, or it is damaged."""
    file = checked(name)
    if file is None:
        return None
    with file:
        return file.read()


def checked(name: str) -> IO[bytes] | None:
    """The file that is kept as `name`, at its start, after its digest was found right; or None.

    A damaged one is removed, and that is said.
    """
    for place in _kept_as(name):
        try:
            file = open(place, "rb", buffering=0)  # noqa: SIM115
        except OSError:
            continue
        try:
            right = os.path.basename(place) == _digest(name, file) + f".{name}"
            file.seek(0)
        except OSError:  # the card fails
            right = False
        if right:
            return file
        file.close()
        with contextlib.suppress(OSError):
            os.unlink(place)
        warnings.warn(f"{place} is damaged: it is made again", RuntimeWarning, stacklevel=2)
    return None


def write(name: str, content: bytes | IO[bytes]) -> None:
    """Keeps it as `name`, or does nothing where that is not possible; what was not used for longest may go for it."""
    with contextlib.suppress(OSError), making(name) as partial, open(partial, "wb") as file:
        for chunk in [content] if isinstance(content, bytes) else iter(lambda: content.read(CHUNK_BYTES), b""):
            file.write(chunk)


@contextlib.contextmanager
def making(name: str) -> Iterator[str]:
    """A path: the file that is made there is kept as `name` at the end, in the place of what was. Raises `OSError`."""
    partial = new_place(beside(os.path.join(folder(), name)))
    try:
        yield partial
        with open(partial, "rb", buffering=0) as file:
            place = os.path.join(folder(), f"{_digest(name, file)}.{name}")
        others = [each for each in _kept_as(name) if each != place]
        os.replace(partial, place)
    finally:
        with contextlib.suppress(OSError):  # it has been renamed, as a rule
            os.unlink(partial)
    for each in others:
        with contextlib.suppress(OSError):  # another process may be quicker
            os.unlink(each)
    _trim()


def _kept_as(name: str) -> list[str]:
    """One, as a rule; two processes may have made two."""
    try:
        names = os.listdir(folder())
    except OSError:
        return []
    long = DIGEST_LETTERS + 1 + len(name)
    return [os.path.join(folder(), each) for each in names if len(each) == long and each.endswith(f".{name}")]


def _digest(name: str, file: IO[bytes]) -> str:
    running = hashlib.sha256(name.encode() + b"\0")
    while chunk := file.read(CHUNK_BYTES):
        running.update(chunk)
    return running.hexdigest()[:DIGEST_LETTERS]


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
