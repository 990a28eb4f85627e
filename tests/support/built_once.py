"""What several processes of a run need is built by the first that asks."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

__all__ = ["once"]


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """`path`, made if it is not there; who asks meanwhile waits."""
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            make(path)
    return path
