"""How a test waits for another process or thread: for what happens there, never for a time that should do."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 900.0
"""A net for what hangs. No machine, however slow and busy, is meant to come near it."""


def until(happened: Callable[[], object], alive: Callable[[], object] = lambda: True) -> None:
    """Returns once it has happened. Fails at once when what should bring it about is not `alive` any more."""
    begun = time.monotonic()
    while not happened():
        assert alive() or happened(), "it ended before that"
        assert time.monotonic() - begun < LIMIT_S, f"not in {LIMIT_S:g} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port of loopback for a server that starts later: none that the system gives to somebody else meanwhile.

    What is asked for as port 0, and each connection that goes out, gets one of `ip_local_port_range` (ip(7)); this is
    one below them, drawn by chance, as others may look for one at the same time.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(10_000, max(lowest, 20_000))
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
