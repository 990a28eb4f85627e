"""A picture file is opened by Pillow: only kinds that are meant, only sizes that are allowed.

A file is a stranger's. What its decoder would do for it is looked at before it is done: the pixels and the memory that
they take, and what its structure asks for (`picture_structure`).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.preprocess import decoding_memory, tiff_tags
from edgevit_runtime.preprocess.colours import Pixels, picture_to_rgb
from edgevit_runtime.preprocess.picture_kinds import START_BYTES, pillow_formats
from edgevit_runtime.preprocess.picture_structure import CHECKS, significant_bits
from edgevit_runtime.terminal import without_native_words

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_ASPECT = 1000
"""The longer side is so many times the shorter at most: a strip shows a model nothing, and resizing it takes ages."""
FILE_BYTES_PER_PIXEL, SMALL_FILE_BYTES = 8, 10_000_000
"""A file is no larger than this for each pixel allowed: some decoders read all of it before they know its size."""
MOST_SLOW_SAMPLES = 1 << 24
"""Of a PPM as text, or with another maximum than 255 or 65535: Pillow decodes them by Python, a million a second."""

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
    with contextlib.ExitStack() as held:
        picture, content, file_bytes = held.enter_context(opened(file, max_pixels))
        held.enter_context(decoding_memory.room(_needed_bytes(picture, file_bytes)))
        native = without_native_words() if picture.format == "TIFF" else contextlib.nullcontext()
        try:
            with native:
                pixels = _upright(picture, significant_bits(content) if picture.format == "PNG" else None)
        except (EdgeViTError, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise whatever the damage meets first
            raise PictureError(_reason(error)) from error
        picture.close()  # what it holds would stand beside what is made of the pixels
        yield pixels


@contextlib.contextmanager
def opened(file: str | bytes, max_pixels: int) -> Iterator[tuple[Image, BinaryIO, int]]:
    """A picture before it is decoded, its kind, size and structure checked; what it is read from; and its bytes.

    Raises as `decoded` does.
    """
    import PIL.Image  # noqa: F401  where it is missing, nothing else is worth saying

    with open(file, "rb") if isinstance(file, str) else io.BytesIO(file) as content:
        size = content.seek(0, os.SEEK_END)
        if size > max(FILE_BYTES_PER_PIXEL * max_pixels, SMALL_FILE_BYTES):
            raise PictureError(f"{size} bytes are more than a picture of {max_pixels} pixels takes")
        content.seek(0)
        formats = pillow_formats(content.read(START_BYTES), file if isinstance(file, str) else "")
        for each in formats:
            if each in CHECKS:
                CHECKS[each](content, max_pixels)
        content.seek(0)
        with _opened(content, formats) as picture:
            _check_size(picture, max_pixels)
            yield picture, content, size


def frame(file: str, max_pixels: int) -> tuple[int, int, int]:
    """(width, height, EXIF's orientation) of a picture as it is stored, not decoded. Raises as `decoded` does."""
    with opened(file, max_pixels) as (picture, content, _):
        if picture.format != "TIFF":
            return (*picture.size, _orientation(picture))
        tags = tiff_tags.read_tags(content)  # newer Pillows give the size as it will be when turned
        turn = int(tags.get(tiff_tags.ORIENTATION, (1,))[0])
        width, height = picture.size
        stored = (int(tags.get(256, (width,))[0]), int(tags.get(257, (height,))[0]))
        return (*stored, turn if 1 <= turn <= 8 else 1)


def samples(file: str, max_pixels: int) -> tuple[Pixels, Pixels | None]:
    """What a PNG stores, no colour made of it and not turned: uint8, uint16 or bool [height, width] or [height, width,
    bands], and of a palette's numbers its colours uint8 [n, 3].

    For masks, whose values are classes. Raises as `decoded` does, and for other kinds than PNG.
    """
    with opened(file, max_pixels) as (picture, _, file_bytes):
        if picture.format != "PNG":
            raise PictureError(f"a mask is a PNG, and this is {picture.format}: its values may not be exact")
        with decoding_memory.room(_needed_bytes(picture, file_bytes)):
            # Pillow stretches grey of 2 and 4 bits to 0..255, and a mask's values are the numbers that are stored.
            tiles = getattr(picture, "tile", ())
            stretch = {"L;2": 85, "L;4": 17}.get(str(tiles[0][3]), 1) if tiles else 1
            try:
                found = np.asarray(picture)
                colours = picture.getpalette("RGB") if picture.mode == "P" else None
            except MemoryError:
                raise
            except Exception as error:
                raise PictureError(_reason(error)) from error
            palette = np.array(colours, np.uint8).reshape(-1, 3) if colours is not None else None
            return (found // stretch if stretch > 1 else found.copy()), palette


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


def _check_size(picture: Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise PictureError(f"{width} x {height} pixels are more than the {max_pixels} allowed")
    check_shape(picture.size)
    slow = picture.format == "PPM" and any(tile[0] in ("ppm", "ppm_plain") for tile in getattr(picture, "tile", ()))
    if slow and width * height * len(picture.getbands()) > MOST_SLOW_SAMPLES:
        raise PictureError(f"{width} x {height} pixels as text, or of an odd maximum, take too long: save it as PNG")


def _needed_bytes(picture: Image, file_bytes: int) -> int:
    stored = _SMALL_SAMPLES.get(picture.mode, 4)
    decoder = _DECODER_BYTES.get(picture.format or "", 0)
    if picture.format == "JPEG" and not picture.info.get("progressive"):
        decoder = 0
    return picture.width * picture.height * (stored + max(decoder, _RGB_BYTES)) + file_bytes


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
        pixels = pixels.swapaxes(0, 1)
    if orientation == 6:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation == 8 else pixels
