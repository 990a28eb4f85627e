"""What a picture file's structure asks of its decoder, looked at before there is one.

A file of 20 MB may have millions of parts of a few bytes, paint its pixels over a hundred thousand times, or claim a
million times what it holds: Pillow takes minutes or gigabytes for such, and no camera and no program writes them.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess import tiff_tags

MOST_PARTS = 5000
"""Segments, chunks, comments: a large colour profile or EXIF has hundreds."""
MOST_PIXEL_PARTS = 200_000
"""Chunks of packed pixels: 89 megapixels in chunks of 8 kB are 30 000."""
MOST_SCANS = 100
"""How often a progressive JPEG may paint its pixels over; cameras and editors write about ten scans."""
LARGE_TILE = 1 << 24
"""A TIFF's tile may have so many pixels, or four times the picture's: the decoder makes room for a whole one."""
_CHUNK_BYTES = 1 << 20


def check_jpeg(content: BinaryIO, max_pixels: int) -> None:
    """Too many scans or segments, and EXIF or MPF whose tags claim too much."""
    scans, last = 0, b""
    for chunk in _chunks(content):
        scans += (last + chunk).count(b"\xff\xda")  # a marker: within a scan 0xFF never stands before that
        last = chunk[-1:]
    if scans > MOST_SCANS:
        raise PictureError(f"a JPEG of more than {MOST_SCANS} scans is not decoded")
    exif = bytearray()
    for number, (start, length) in enumerate(_segments(content)):
        _check_count(number, MOST_PARTS)
        content.seek(start)
        segment = content.read(length)
        if segment.startswith(b"Exif\0\0"):
            exif += segment[6:]  # Pillow puts several together
        elif segment.startswith(b"MPF\0"):
            _check_tags(segment[4:])
    _check_tags(bytes(exif))


def _segments(content: BinaryIO) -> Iterator[tuple[int, int]]:
    """(start, length) of the content of each of a JPEG's segments before its first scan, and of what is between."""
    place = 2
    while True:
        content.seek(place)
        head = content.read(4)
        if len(head) < 4 or head[:2] == b"\xff\xda":
            return
        if head[0] == 0xFF and head[1] not in (0x00, 0x01, *range(0xD0, 0xD9), 0xFF):
            length = struct.unpack(">H", head[2:])[0]
            yield place + 4, max(0, length - 2)
            place += 2 + max(2, length)
        else:  # filling, and markers that stand alone
            yield place, 0
            place += 1 if head[1] == 0xFF or head[0] != 0xFF else 2


def _check_tags(exif: bytes) -> None:
    with contextlib.suppress(tiff_tags.CutError):  # Pillow goes on without them
        if exif[:2] in (b"II", b"MM"):
            tiff_tags.read_tags(io.BytesIO(exif))


def check_tiff(content: BinaryIO, max_pixels: int) -> None:
    """Tags that claim too much, too many strips, and tiles beyond the picture."""
    tags = tiff_tags.read_tags(content)
    width, height, across, down = (int(tags.get(tag, (0,))[0]) for tag in (256, 257, 322, 323))
    if across * down > max(LARGE_TILE, 4 * width * height):
        raise PictureError(f"it claims tiles of {across} x {down} pixels, of a picture of {width} x {height}")


def check_png(content: BinaryIO, max_pixels: int) -> None:
    """Too many chunks."""
    others = pixels = 0
    for kind, _, _ in _png_chunks(content):
        pixels, others = (pixels + 1, others) if kind == b"IDAT" else (pixels, others + 1)
        _check_count(others, MOST_PARTS)
        _check_count(pixels, MOST_PIXEL_PARTS)


def _png_chunks(content: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, length) of each chunk."""
    place = 8
    while True:
        content.seek(place)
        head = content.read(8)
        if len(head) < 8:
            return
        length = struct.unpack(">I", head[:4])[0]
        yield head[4:], place + 8, length
        place += 12 + length


def significant_bits(content: BinaryIO) -> int | None:
    """What a PNG's sBIT chunk says of its first channel (PNG 1.2, section 4.2.5.3: it stands before the pixels)."""
    for kind, start, length in _png_chunks(content):
        if kind == b"sBIT" and 0 < length <= 4:
            content.seek(start)
            return content.read(1)[0]
        if kind in (b"IDAT", b"PLTE"):
            break
    return None


def check_gif(content: BinaryIO, max_pixels: int) -> None:
    """Too many comments and other blocks before the first frame (GIF89a, sections 15 to 26)."""
    content.seek(10)
    flags = content.read(1)
    place = 13 + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0)
    number = 0
    content.seek(place)
    while (kind := content.read(1)) not in (b"", b",", b";"):
        number += 1
        _check_count(number, MOST_PARTS)
        if kind == b"!":
            content.read(1)
            while size := content.read(1).strip(b"\0"):
                number += 1
                _check_count(number, MOST_PIXEL_PARTS)
                content.seek(size[0], os.SEEK_CUR)


def check_ppm(content: BinaryIO, max_pixels: int) -> None:
    """Too many comments, each of which Pillow cuts out of what it has read so far."""
    content.seek(0)
    if content.read(2) not in (b"P1", b"P2", b"P3"):
        return
    comments = 0
    for chunk in _chunks(content):
        comments += chunk.count(b"#")
        _check_count(comments, MOST_PARTS)


def check_ico(content: BinaryIO, max_pixels: int) -> None:
    """Pictures in it that are larger than it says: what is decoded is what they say themselves."""
    content.seek(4)
    count = int.from_bytes(content.read(2), "little")
    for entry in range(min(count, MOST_PARTS)):
        content.seek(6 + 16 * entry + 12)
        content.seek(int.from_bytes(content.read(4), "little"))
        head = content.read(24)
        order, start = (">", 16) if head.startswith(b"\x89PNG") else ("<", 4)
        if len(head) == 24:
            width, height = struct.unpack(f"{order}ii", head[start : start + 8])
            if abs(width * height) > max_pixels:
                raise PictureError(f"{abs(width)} x {abs(height)} pixels are more than the {max_pixels} allowed")


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    content.seek(0)
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk


def _check_count(parts: int, most: int) -> None:
    if parts > most:
        raise PictureError(f"it has more than {most} parts, which no camera and no program writes")


CHECKS: dict[str, Callable[[BinaryIO, int], None]] = {
    # Pillow's name of a format -> what raises `PictureError` for a file that asks too much.
    "GIF": check_gif,
    "ICO": check_ico,
    "JPEG": check_jpeg,
    "PNG": check_png,
    "PPM": check_ppm,
    "TIFF": check_tiff,
}
