"""The tags of a TIFF file, or of EXIF, which is one: read so that no tag can ask for more than the file holds.

Of Pillow, only 13 bounds what tags may claim: before, thousands of them that all point to the same bytes unfold a
file of 100 kB to gigabytes. Format: TIFF 6.0, section 2; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from typing import BinaryIO, Union

from edgevit_runtime.errors import PictureError

ORIENTATION = 0x0112
LEAST_ALLOWED_BYTES = 16_000_000
"""What tags may claim in the smallest file, too: many a camera's are not quite right."""
MOST_STRIPS = 400_000
_STRIPS = (273, 279, 324, 325)
"""Where a picture's strips or tiles are, and how long each is: an entry for each, made a number of Python by Pillow."""

TagNumbers = tuple[Union[int, float], ...]

# The type's number -> how `struct` calls it. Rationals (5, 10) are two numbers each; 2 and 7 are bytes.
_TYPES = {
    1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I",
    16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
_WITHIN = (34665, 34853, 40965)
"""Tags that say where EXIF's, GPS's and interoperability's own directories are; Pillow reads them, too."""
_CUT = "its list of tags is cut off"
_SMALL = 64
"""TagNumbers beyond so many bytes are of no interest here."""


class CutError(PictureError):
    """The tags are cut off, or there are none."""


def read_tags(file: BinaryIO) -> dict[int, TagNumbers]:
    """The numbers of the first directory, by tag; what is no number, or very long, is left out.

    Raises `PictureError` where its tags, or those of the directories within, claim more than a file can hold;
    `CutError` where the first directory is cut off.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    order, big, first = _header(file.read(16))
    found: dict[int, TagNumbers] = {}
    claimed = _read_directory(file, order, big, first, size, found)
    for tag in _WITHIN:
        if tag in found:
            with contextlib.suppress(CutError):
                claimed += _read_directory(file, order, big, int(found[tag][0]), size, {})
            _check_claimed(claimed, size)
    return found


def _read_directory(file: BinaryIO, order: str, big: bool, start: int, size: int, found: dict[int, TagNumbers]) -> int:
    """Adds the tags of the directory at `start` to `found`, and says how many bytes all of its tags claim."""
    if not 0 <= start < size:
        raise CutError(_CUT)
    file.seek(start)
    head = order + ("Q" if big else "H")
    (count,) = _unpack(head, file.read(struct.calcsize(head)))
    entry = order + ("HHQ8s" if big else "HHI4s")
    length = struct.calcsize(entry)
    directory = file.read(min(count * length, size))
    if len(directory) < count * length:
        raise CutError(_CUT)
    claimed = 0
    for tag, kind, number, inline in struct.iter_unpack(entry, directory):
        letters = _TYPES.get(kind)
        if letters is None:
            continue
        taken = number * struct.calcsize(order + letters)
        claimed += min(taken, size)
        _check_claimed(claimed, size)
        if tag in _STRIPS and number > MOST_STRIPS:
            raise PictureError(f"it claims to have {number} strips or tiles")
        if tag in found or letters == "s" or not 0 < taken <= _SMALL:
            continue
        if taken > len(inline):
            (place,) = struct.unpack(order + ("Q" if big else "I"), inline)
            file.seek(min(place, size))
            inline = file.read(taken)
        if len(inline) >= taken:
            found[tag] = struct.unpack(order + letters * number, inline[:taken])
    return claimed


def _check_claimed(claimed: int, size: int) -> None:
    if claimed > max(2 * size, LEAST_ALLOWED_BYTES):
        raise PictureError(f"its tags ask for more than {claimed // 1_000_000} MB, of {size} bytes")


def _header(start: bytes) -> tuple[str, bool, int]:
    """(`struct`'s letter for the order of bytes, whether it is BigTIFF, where the first directory is)."""
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise CutError("it has no TIFF header")
    (version,) = struct.unpack(order + "H", start[2:4])
    big = version == 43 or start[2:4] in (b"+\0", b"\0+")
    return order, big, int(*_unpack(order + ("Q" if big else "I"), start[8:16] if big else start[4:8]))


def _unpack(layout: str, content: bytes) -> tuple[int, ...]:
    if len(content) != struct.calcsize(layout):
        raise CutError(_CUT)
    return struct.unpack(layout, content)


def exif_orientation(exif: bytes) -> int | None:
    """1 to 8 as EXIF has it, None where it says none that there is. `exif` may begin with `Exif\\0\\0`."""
    try:
        values = read_tags(io.BytesIO(without_prefix(exif))).get(ORIENTATION, ())
    except PictureError:
        return None  # many a camera's EXIF is damaged, and the picture itself is whole
    return int(values[0]) if values and values[0] in range(1, 9) else None


def without_prefix(exif: bytes) -> bytes:
    """EXIF from its TIFF header on."""
    return re.sub(rb"^(?:Exif\0\0){1,2}", b"", exif)
