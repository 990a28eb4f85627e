"""Which processors the work may run on."""

from __future__ import annotations

import os
from collections.abc import Iterable

from edgevit_runtime.errors import EdgeViTError

_MOST = 4096


def pin(text: str) -> tuple[int, ...]:
    """Keeps this process, and the threads it will start, on the processors of a list such as `4-7` or `0,2`.

    Call it before an interpreter makes its threads: those that are there already stay where they are.
    """
    try:
        wanted = from_ranges(text)
    except ValueError as error:
        raise EdgeViTError(
            f"cpus are numbers and ranges with commas between, such as 4-7 or 0,2; not {text!r}"
        ) from error
    if not hasattr(os, "sched_setaffinity"):
        raise EdgeViTError(f"--cpus {text}: this system cannot keep a process on some processors; leave it out")
    allowed = os.sched_getaffinity(0)
    missing = sorted(set(wanted) - allowed)
    if missing:
        raise EdgeViTError(f"no processor {as_ranges(missing)} here: this process may use {as_ranges(allowed)}")
    try:
        os.sched_setaffinity(0, wanted)
    except OSError as error:
        raise EdgeViTError(f"cannot run on processors {text} alone: {error.strerror}") from error
    return wanted


def from_ranges(text: str) -> tuple[int, ...]:
    """`"0-2,6"` -> (0, 1, 2, 6), ascending. Raises `ValueError` for what is no such list."""
    numbers: set[int] = set()
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        span = range(int(first), int(last if dash else first) + 1)
        if not 0 < len(span) <= _MOST:
            raise ValueError(text)
        numbers |= set(span)
    return tuple(sorted(numbers))


def as_ranges(numbers: Iterable[int]) -> str:
    """(0, 1, 2, 6) -> `"0-2,6"`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][-1] == number - 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ",".join(str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans)
