"""Pictures that cannot be read and are left out: which, and why."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgevit.errors import PictureError
from edgevit_runtime.wording import counted

__all__ = ["reasons_of", "skipped_line"]

MOST_NAMED = 3


def reasons_of(skipped: Mapping[Path, PictureError]) -> dict[str, str]:
    """Each file, sorted, -> why it cannot be read, without the name that the error begins with."""
    return {
        str(file): str(error).removeprefix(f"cannot read picture {file}: ") for file, error in sorted(skipped.items())
    }


def skipped_line(reasons: Mapping[str, str], left_to: str = "") -> str:
    """`skipped 4 pictures that cannot be read: a.jpg (it is cut short), …, and 1 more`; an empty reason is not said.

    left_to: where the others are named: `: --json FILE names them`.
    """
    named = [f"{file} ({reason})" if reason else file for file, reason in list(reasons.items())[:MOST_NAMED]]
    more = len(reasons) - len(named)
    said = f"skipped {counted(len(reasons), 'picture')} that cannot be read: {', '.join(named)}"
    return said + (f", and {more} more{left_to}" if more else "")
