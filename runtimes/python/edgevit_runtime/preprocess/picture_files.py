"""A picture file is opened by Pillow: only kinds that are meant, only sizes that are allowed.

A file is a stranger's. What its decoder would do for it is looked at before it is done: the pixels and the memory that
they take, how often a JPEG paints them over, what tags claim to hold.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess import decoding_memory, tiff_tags
from edgevit_runtime.preprocess.colours import Pixels, picture_to_rgb
from edgevit_runtime.preprocess.picture_kinds import START_BYTES, pillow_formats

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_ASPECT = 1000
"""The longer side is so many times the shorter at most: a strip shows a model nothing, and resizing it takes ages."""
FILE_BYTES_PER_PIXEL, SMALL_FILE_BYTES = 8, 10_000_000
"""A file is no larger than this for each pixel allowed: some decoders read all of it before they know its size."""
MOST_SCANS = 100
"""How often a progressive JPEG may paint its pixels over; cameras and editors write about ten scans."""
LARGE_TILE = 1 << 24
"""A TIFF's tile may have so many pixels, or four times the picture's: the decoder makes room for a whole one."""

# Pillow's name -> bytes a pixel that the decoder takes beside Pillow's own picture, and frees: measured at 25
# megapixels, rounded up. JPEG's are those of a progressive one's coefficients.
_DECODER_BYTES = {
    "AVIF": 8, "GIF": 5, "HEIF": 12, "ICO": 8, "JPEG": 8, "JPEG2000": 16, "PSD": 8, "TIFF": 8, "WEBP": 12,
}  # fmt: skip
_SMALL_SAMPLES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
_RGB_BYTES = 3


@contextlib.contextmanager
def decoded(file: str | bytes, max_pixels: int) -> Iterator[Pixels]:
    """The file at a path, or a file's content, as uint8 RGB [height, width, 3], upright, within the memory for it.

    Raises `PictureError`, without the file's name, and ImportError where there is no Pillow.
    """
    import PIL.Image  # noqa: F401  where it is missing, nothing else is worth saying

    with open(file, "rb") if isinstance(file, str) else io.BytesIO(file) as content:
        size = content.seek(0, os.SEEK_END)
        if size > max(FILE_BYTES_PER_PIXEL * max_pixels, SMALL_FILE_BYTES):
            raise PictureError(f"{size} bytes are more than a picture of {max_pixels} pixels takes")
        content.seek(0)
        formats = pillow_formats(content.read(START_BYTES), file if isinstance(file, str) else "")
        if "JPEG" in formats:
            _check_jpeg(content)
        if "TIFF" in formats:
            _check_tiff(content)
        content.seek(0)
        with _opened(content, formats) as picture:
            _check_size(picture.size, max_pixels)
            with decoding_memory.room(_needed_bytes(picture, size)):
                try:
                    pixels = _upright(picture, _significant_bits(content) if picture.format == "PNG" else None)
                except (EdgeViTError, MemoryError):
                    raise
                except Exception as error:  # Pillow's decoders raise whatever the damage meets first
                    raise PictureError(_reason(error)) from error
                picture.close()  # what it holds would stand beside what is made of the pixels
                yield pixels


def check_shape(size: tuple[int, int]) -> None:
    """Raises `PictureError` for a strip."""
    if max(size) > MAX_ASPECT * min(size):
        raise PictureError(f"{size[0]} x {size[1]} pixels are a strip: one side is over {MAX_ASPECT} times the other")


def _opened(content: BinaryIO, formats: tuple[str, ...]) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(content, formats=formats)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"it begins as {formats[0]} does, but it is none that can be decoded") from None
    except Exception as error:
        raise PictureError(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise PictureError(f"{size[0]} x {size[1]} pixels are more than the {max_pixels} allowed")
    check_shape(size)


def _needed_bytes(picture: Image, file_bytes: int) -> int:
    stored = _SMALL_SAMPLES.get(picture.mode, 4)
    decoder = _DECODER_BYTES.get(picture.format or "", 0)
    if picture.format == "JPEG" and not picture.info.get("progressive"):
        decoder = 0
    return picture.width * picture.height * (stored + max(decoder, _RGB_BYTES)) + file_bytes


def _check_jpeg(content: BinaryIO) -> None:
    """Raises `PictureError` for scans without end, and for EXIF or MPF whose tags claim too much."""
    content.seek(0)
    scans, exif, last = 0, b"", b""
    while chunk := content.read(1 << 20):
        scans += (last + chunk).count(b"\xff\xda")  # a marker: within a scan 0xFF never stands before that
        last = chunk[-1:]
        if scans > MOST_SCANS:
            raise PictureError(f"a JPEG of more than {MOST_SCANS} scans is not decoded")
    for start, length in _segments(content):
        content.seek(start)
        segment = content.read(length)
        if segment.startswith(b"Exif\0\0"):
            exif += segment[6:]  # Pillow puts several together
        elif segment.startswith(b"MPF\0"):
            _check_tags(segment[4:])
    _check_tags(exif)


def _segments(content: BinaryIO) -> Iterator[tuple[int, int]]:
    """(start, length) of the content of each of a JPEG's segments before its first scan."""
    place = 2
    while True:
        content.seek(place)
        head = content.read(4)
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA:
            return
        if head[1] == 0xFF or 0xD0 <= head[1] <= 0xD8 or head[1] == 1:  # filling, and markers that stand alone
            place += 1 if head[1] == 0xFF else 2
            continue
        length = struct.unpack(">H", head[2:])[0]
        yield place + 4, max(0, length - 2)
        place += 2 + max(2, length)


def _check_tags(exif: bytes) -> None:
    with contextlib.suppress(tiff_tags.CutError):  # Pillow goes on without them
        if exif[:2] in (b"II", b"MM"):
            tiff_tags.read_tags(io.BytesIO(exif))


def _check_tiff(content: BinaryIO) -> None:
    tags = tiff_tags.read_tags(content)
    width, height, across, down = (int(tags.get(tag, (0,))[0]) for tag in (256, 257, 322, 323))
    if across * down > max(LARGE_TILE, 4 * width * height):
        raise PictureError(f"it claims tiles of {across} x {down} pixels, of a picture of {width} x {height}")


def _significant_bits(content: BinaryIO) -> int | None:
    """What a PNG's sBIT chunk says of its first channel (PNG 1.2, section 4.2.5.3: it stands before the pixels)."""
    content.seek(8)
    head = content.read(8)
    while len(head) == 8 and head[4:] not in (b"IDAT", b"PLTE"):
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"sBIT" and 0 < length <= 4:
            return content.read(1)[0]
        content.seek(length + 4, os.SEEK_CUR)
        head = content.read(8)
    return None


def _upright(picture: Image, significant_bits: int | None) -> Pixels:
    """Turned as its EXIF says."""
    pixels = picture_to_rgb(picture, significant_bits)
    if picture.format == "TIFF":  # whose tags were checked; newer Pillows have turned it, and say so
        return turned(pixels, int(picture.getexif().get(tiff_tags.ORIENTATION, 1)))
    return turned(pixels, _orientation(picture))


def _orientation(picture: Image) -> int:
    """As `Image.getexif` finds it, which would read every tag: in EXIF, as PNGs of old hold it, or in XMP."""
    info = picture.info
    exif = info.get("exif")
    if exif is None and "Raw profile type exif" in info:
        try:
            exif = bytes.fromhex("".join(str(info["Raw profile type exif"]).split("\n")[3:]))
        except ValueError:
            exif = None
    said = tiff_tags.exif_orientation(exif) if isinstance(exif, bytes) else None
    if said is not None:
        return said
    xmp = info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
    text = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
    match = re.search(rb'tiff:Orientation(?:="|>)([1-8])', text)
    return int(match[1]) if match else 1


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Upright, from one of EXIF's eight orientations: a view, no copy."""
    if orientation in (3, 4, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7):
        pixels = pixels[:, ::-1]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation == 6:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation == 8 else pixels
