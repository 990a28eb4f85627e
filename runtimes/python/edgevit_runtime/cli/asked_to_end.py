"""How a command that has no end of its own ends: by ^C, or by SIGTERM, which is systemd's way to ask."""

from __future__ import annotations

import math
import signal
import threading
import time
from types import FrameType
from typing import Any, Callable

LONGEST_SLEEP_S = 0.5
"""A signal wakes no sleep (PEP 475), and whoever ends a command does not want to wait for the next look."""


class AskedToEnd:
    """Whether somebody asked, while within: `with AskedToEnd() as ended: ... ended()`.

    What is under way is finished. Who asks twice does not want to wait: the second signal does what it does elsewhere.
    A signal that is ignored stays so (`nohup`, a shell's `&`), and in other threads than the main one nobody asks.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        return self._asked

    def __enter__(self) -> AskedToEnd:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if before != signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(number, self._before[number])


def rest(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleeps, and no longer once it is `stopped`."""
    parts = max(1, math.ceil(seconds / LONGEST_SLEEP_S))
    for _ in range(parts):
        if stopped():
            return
        time.sleep(seconds / parts)
