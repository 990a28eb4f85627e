"""What memory pictures may take while they are decoded: one budget for the whole process.

A server's requests, the threads that decode ahead and whoever else decodes share it, so that several large pictures
that come at once wait for each other instead of filling the memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from edgevit_runtime.errors import EdgeViTError, PictureError

VARIABLE = "EDGEVIT_PICTURE_MB"
TOGETHER_BYTES = 1_000_000_000
"""What several pictures may take together; a larger one is decoded alone."""
UNKNOWN_BYTES = 2_000_000_000
"""A machine that does not say how much memory it has is taken to have so much."""


class DecodingMemory:
    """`room` for pictures, by what each needs: whoever came first goes first. Not to be asked within a `room`."""

    def __init__(self, most_bytes: int, together_bytes: int) -> None:
        self.most_bytes, self.together_bytes = most_bytes, together_bytes
        self._taken = 0
        self._turn, self._changed = threading.Lock(), threading.Condition()

    @contextlib.contextmanager
    def room(self, wanted_bytes: int) -> Iterator[None]:
        """Waits until there is room, and keeps it for the block. Raises `PictureError` where there never can be."""
        if wanted_bytes > self.most_bytes:
            raise PictureError(
                f"decoding it takes {wanted_bytes / 1e6:.0f} MB, and {self.most_bytes / 1e6:.0f} MB are what a picture "
                f"may take here: make it smaller, or set {VARIABLE}"
            )
        with self._turn, self._changed:  # a large one waits for the others; none of those behind overtakes it
            self._changed.wait_for(lambda: not self._taken or self._taken + wanted_bytes <= self.together_bytes)
            self._taken += wanted_bytes
        try:
            yield
        finally:
            with self._changed:
                self._taken -= wanted_bytes
                self._changed.notify_all()


_MEMORY: DecodingMemory | None = None
_MAKING = threading.Lock()


def room(wanted_bytes: int) -> contextlib.AbstractContextManager[None]:
    """`DecodingMemory.room` of the process's own: half of the machine's memory for one, `TOGETHER_BYTES` for several.

    EDGEVIT_PICTURE_MB says another number for both.
    """
    global _MEMORY
    with _MAKING:
        if _MEMORY is None:
            said = os.environ.get(VARIABLE)
            most = _said_bytes(said) if said else machine_bytes() // 2
            _MEMORY = DecodingMemory(most, most if said else min(most, TOGETHER_BYTES))
    return _MEMORY.room(wanted_bytes)


def _said_bytes(said: str) -> int:
    if not (said.isdecimal() and int(said[:9]) > 0):
        raise EdgeViTError(f"{VARIABLE} is a number of megabytes, such as 500, not {said!r}")
    return int(said[:9]) * 1_000_000


def machine_bytes() -> int:
    """The memory that this process may use: the machine's, or what its control groups leave of it (cgroups(7))."""
    try:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):  # Windows
        found = [UNKNOWN_BYTES]
    with contextlib.suppress(OSError), open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
        for line in file:
            number, _, path = line.strip().split(":", 2)
            version_1 = "memory/" if number != "0" else ""
            limit = "memory.limit_in_bytes" if version_1 else "memory.max"
            places = [part for part in path.split("/") if part]
            for depth in range(len(places) + 1):  # each group's limit holds for those below
                place = "/".join(["/sys/fs/cgroup", *([version_1[:-1]] if version_1 else []), *places[:depth], limit])
                with contextlib.suppress(OSError, ValueError), open(place, encoding="ascii") as said:
                    found.append(int(said.read()))
    return max(1, min(found))
