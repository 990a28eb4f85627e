"""The pictures in a folder and below: one walk for all that read folders, here and on the host.

What systems and programs leave in folders is left alone, and what cannot be read here is counted, so that it can be
said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.picture_kinds import PICTURE_KINDS, can_read, kind_of, what_it_needs

__all__ = ["PictureFiles", "files_below", "is_leftover", "left_out_line", "no_pictures", "pictures_below"]

LEFTOVERS = {
    # Lower case: name -> who leaves it. Hidden ones (.DS_Store, ._1.jpg, .ipynb_checkpoints) need no row.
    "__macosx": "macOS, in zip files",
    "icon\r": "macOS",
    "thumbs.db": "Windows",
    "ehthumbs.db": "Windows",
    "desktop.ini": "Windows",
    "$recycle.bin": "Windows",
    "recycler": "Windows",
    "system volume information": "Windows",
    "found.000": "Windows",
    "lost+found": "Linux",
    "@eadir": "Synology",
    "#recycle": "Synology",
    "#snapshot": "Synology",
    "@recycle": "QNAP",
    "@recently-snapshot": "QNAP",
    "__pycache__": "Python",
}
BROKEN_LINK = "broken link"


@dataclass(frozen=True)
class PictureFiles:
    """What a walk found."""

    files: tuple[str, ...] = ()
    """Paths, in order of their names."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Kind -> how many files of it cannot be read here."""


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is a hidden one, or what a system or a program leaves behind."""
    return name.startswith((".", "~$")) or name.lower() in LEFTOVERS


def pictures_below(folder: str | os.PathLike[str], *, skip_unreadable: bool = False) -> PictureFiles:
    """The picture files in a folder and below, told by their names; leftovers and what is in them are not looked at.

    Links to folders are followed, each folder once. Raises `PictureError` where one of the folders cannot be read,
    unless those are to be skipped: whoever watches a folder sees some that go away again.
    """
    files: list[str] = []
    left_out: dict[str, int] = {}
    for path in _walk(os.fspath(folder), set(), skip_unreadable):
        kind = kind_of(path)
        if kind is not None and not os.path.isfile(path):  # a pipe or a socket is none, whatever it is called
            kind = BROKEN_LINK if os.path.islink(path) else None
        if kind is None:
            continue
        if can_read(kind):
            files.append(path)
        else:
            left_out[kind] = left_out.get(kind, 0) + 1
    return PictureFiles(tuple(files), left_out)


def files_below(folder: str | os.PathLike[str], *suffixes: str) -> tuple[str, ...]:
    """The files whose names end so (lower case: `.xml`), by the same walk, in order of their names.

    Raises `PictureError` where one of the folders cannot be read.
    """
    found = _walk(os.fspath(folder), set(), skip_unreadable=False)
    return tuple(path for path in found if os.path.splitext(path)[1].lower() in suffixes and os.path.isfile(path))


def _walk(folder: str, seen: set[tuple[int, int]], skip_unreadable: bool) -> Iterator[str]:
    """Everything below that is no folder, in order of the names from the top down."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link into a folder that was walked, or in a circle
            return
        seen.add((status.st_dev, status.st_ino))
        names = sorted(name for name in os.listdir(folder) if not is_leftover(name))
    except OSError as error:
        if skip_unreadable:
            return
        raise PictureError(f"cannot read the folder {folder}: {error.strerror}") from error
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(path, seen, skip_unreadable)
        else:
            yield path


def left_out_line(left_out: Mapping[str, int]) -> str:
    """`left out: 3 HEIC (`pip install pillow-heif`), 1 SVG (save such pictures as JPEG or PNG)`; empty for nothing."""
    parts = [
        f"{number} {kind}" + ("" if kind == BROKEN_LINK else f" ({what_it_needs(kind)})")
        for kind, number in sorted(left_out.items())
    ]
    return f"left out: {', '.join(parts)}" if parts else ""


def no_pictures(folder: str | os.PathLike[str], left_out: Mapping[str, int], what: str = "the folder") -> PictureError:
    """The error for a folder in which nothing can be read; `what` is what the message calls it."""
    said = left_out_line(left_out) or f"the kinds that are read are {', '.join(PICTURE_KINDS)}"
    return PictureError(f"{what} {os.fspath(folder)} holds no pictures; {said}")
