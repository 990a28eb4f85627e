"""Pictures that are, byte for byte, the same: a copy in both halves of a split makes a model look better than it is."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from edgevit.errors import PictureError
from edgevit_runtime.preprocess.pictures import loaded

__all__ = ["copies", "count_seen", "digest", "in_both", "same_of"]

_ENDS = 4096


def digest(file: Path) -> str:
    """Of what a file holds: 16 hexadecimal digits of its SHA-256. Raises `OSError`."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def count_seen(digests: Container[str], files: Iterable[Path]) -> int:
    """How many of the files hold what has one of these digests; one that cannot be read does not."""
    count = 0
    for file in files:
        with suppress(OSError):
            count += digest(file) in digests
    return count


def same_of(files: Iterable[Path], others: Iterable[Path]) -> Mapping[Path, Path]:
    """Each of `files` that holds what one of `others` holds -> the first such one.

    Only files of equal size are looked into, at their ends first. One that cannot be read, or that is no picture, is
    like none: it is skipped, and neither trains nor validates.
    """
    known: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    sizes = _by_size(others)
    wanted = [(file, size) for size, several in _by_size(files).items() if size in sizes for file in several]
    for size in {size for _, size in wanted}:
        for other in sizes[size]:
            if (ends := _ends(other, size)) is not None:
                known[size, ends].append(other)
    found: dict[Path, Path] = {}
    pictures: dict[Path, bool] = {}
    for file, size in wanted:
        ends = _ends(file, size)
        for other in known.get((size, ends), ()) if ends is not None else ():
            if _same(file, other):
                if other not in pictures:
                    pictures[other] = _is_picture(other)
                if pictures[other]:
                    found[file] = other
                break
    return found


def copies(files: Iterable[Path]) -> Mapping[Path, Path]:
    """Each of the files that holds what an earlier one holds -> the first such one. Looked into as by `same_of`."""
    known: dict[tuple[int, bytes], list[Path]] = defaultdict(list)
    found = {}
    for size, several in _by_size(files).items():
        for file in several if len(several) > 1 else ():
            if (ends := _ends(file, size)) is None:
                continue
            first = next((each for each in known[size, ends] if _same(file, each)), None)
            if first is None:
                known[size, ends].append(file)
            else:
                found[file] = first
    return found


def in_both(train: Iterable[Path], val: Iterable[Path]) -> str:
    """A line where validation pictures are among those that train; empty where none is."""
    found = same_of(val, train)
    if not found:
        return ""
    file, other = next(iter(sorted(found.items())))
    several = len(found) > 1
    are = "pictures are" if several else "picture is"
    return (
        f"{len(found)} validation {are}, byte for byte, among those that train, "
        f"too ({'such as ' if several else ''}{file} and {other}): accuracy on such says little; keep one of each"
    )


def _by_size(files: Iterable[Path]) -> dict[int, list[Path]]:
    found: dict[int, list[Path]] = defaultdict(list)
    for file in files:
        try:
            found[file.stat().st_size].append(file)
        except OSError:
            continue
    return found


def _ends(file: Path, size: int) -> bytes | None:
    """The first and last bytes, which differ wherever two pictures of one size do, nearly always."""
    try:
        with file.open("rb") as content:
            start = content.read(_ENDS)
            content.seek(max(0, size - _ENDS))
            return start + content.read(_ENDS)
    except OSError:
        return None


def _is_picture(file: Path) -> bool:
    try:
        with loaded(file):
            return True
    except PictureError:
        return False


def _same(file: Path, other: Path) -> bool:
    try:
        return file.read_bytes() == other.read_bytes()
    except OSError:
        return False
