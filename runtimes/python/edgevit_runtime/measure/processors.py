"""Which processors the work may run on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from edgevit_runtime.errors import EdgeViTError

HIGHEST = 4095
"""A list is bounded before it is spelled out; no machine that runs this has so many."""
_SPAN = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?\Z")


def pin(text: str) -> tuple[int, ...]:
    """Keeps this process, and the threads it will start, on the processors of a list such as `4-7` or `0,2`.

    Call it before an interpreter makes its threads: those that are there already stay where they are.
    """
    wanted = parse_cpus(text)
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


def parse_cpus(text: str) -> tuple[int, ...]:
    """`"0-2,6"` -> (0, 1, 2, 6), ascending, each once. Raises `EdgeViTError` for what is no such list."""
    numbers: set[int] = set()
    for word in text.split(","):
        found = _SPAN.match(word.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not found or not first <= last <= HIGHEST:
            why = "" if not found else f" ({last} is before {first})" if last < first else f" (the last is {HIGHEST})"
            said = text if len(text) <= 40 else f"{text[:40]}…"
            raise EdgeViTError(
                f"cpus are numbers and ranges with commas between, such as 4-7 or 0,2; not {said!r}{why}"
            )
        numbers |= set(range(first, last + 1))
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
