"""Why a command failed on a device, in one line: what was said there, and what to do about it."""

from __future__ import annotations

import re

from edgevit.devices.remote_output import shortened

__all__ = ["hint", "said", "short"]

_FULL = re.compile(r"No space left|[Dd]isk quota exceeded|File too large|File size limit exceeded")
# The first that fits counts.
_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_FULL, "make room on the device, or `edgevit deploy --uninstall {name}` what is there"),
    (
        re.compile("Read-only file system"),
        "that disk is mounted for reading only (a card that fails ends so): mount it for writing, or take another card",
    ),
    (re.compile("Permission denied"), "this account may not do that there: `ls -ld` shows whose it is"),
)


def said(text: str) -> str:
    """The line that tells most: that a disk is full, or else the last one, past OpenSSH's frame of @."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" @\r\n")]
    return shortened(next((line for line in lines if _FULL.search(line)), lines[-1] if lines else ""))


def hint(line: str, name: str) -> str:
    """What to do about a failure of which the device `name` said `line`, to be put behind it; empty if unknown."""
    return next((f"; {what.format(name=name)}" for pattern, what in _HINTS if pattern.search(line)), "")


def short(command: str) -> str:
    """A command as a message shows it: in one line, its beginning."""
    line = " ".join(command.split())
    return line if len(line) <= 120 else f"{line[:117]}..."
