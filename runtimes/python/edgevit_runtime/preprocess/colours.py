"""Samples become uint8 RGB, a strip of rows at a time: no second copy of a large picture is made on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.sample_range import SampleRange, check_bright, check_used, sample_range

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = np.ndarray[Any, Any]
STRIP_PIXELS = 1 << 20

_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


def array_to_rgb(pixels: Pixels) -> Pixels:
    """uint8 or uint16 [height, width], [height, width, 1], 3 (RGB) or 4 (RGBA): uint8 [height, width, 3].

    Raises `PictureError` for any other array.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise PictureError(
            f"a picture array is [height, width] or [height, width, 1, 3 or 4], not {list(pixels.shape)}"
        )
    if pixels.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"a picture array holds uint8 in 0..255 (or uint16), not {pixels.dtype}")
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return pixels
    if pixels.dtype == np.uint16:
        check_used(SampleRange(0.0, 65535.0, False), 0.0, float(pixels[:, :, :3].max()))

    def rgb(strip: Pixels) -> Pixels:
        strip = _to_8_bit(strip) if strip.dtype == np.uint16 else strip
        return _on_white(strip) if strip.shape[2] == 4 else strip

    return _by_strips(pixels.shape[1], pixels.shape[0], lambda top, bottom: rgb(pixels[top:bottom]))


def picture_to_rgb(picture: Image, significant_bits: int | None = None) -> Pixels:
    """A Pillow picture of any mode: uint8 [height, width, 3].

    significant_bits: what a PNG's sBIT chunk says. Raises `PictureError` where the range of its samples is not known.
    """
    width, height = picture.size
    sixteen = any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ()))  # Pillow keeps the upper 8 bits

    def strip(top: int, bottom: int) -> Image:
        return picture if (top, bottom) == (0, height) else picture.crop((0, top, width, bottom))

    picture.load()
    if picture.mode.startswith("I") or picture.mode == "F":
        return _deep_to_rgb(picture, strip, significant_bits)
    if picture.mode == "LAB":
        raise PictureError("CIELAB pictures are not supported: save it as RGB")
    if sixteen and picture.mode in ("RGB", "RGBA", "LA"):
        extrema: Any = picture.getextrema()
        check_bright(extrema[:-1] if picture.mode != "RGB" else extrema)
    if picture.mode in _ALPHA or "transparency" in picture.info:
        return _by_strips(width, height, lambda *rows: _on_white(np.asarray(strip(*rows).convert("RGBA"))))
    if picture.mode == "RGB":
        return _by_strips(width, height, lambda *rows: np.asarray(strip(*rows)))
    return _by_strips(width, height, lambda *rows: np.asarray(strip(*rows).convert("RGB")))


def _deep_to_rgb(picture: Image, strip: Callable[[int, int], Image], significant_bits: int | None) -> Pixels:
    """Grey of more than 8 bits; Pillow's own convert() would clip it to 255."""
    found = sample_range(picture)
    extremes = [(rows.min(), rows.max()) for rows in (np.asarray(strip(*each)) for each in _strips(*picture.size))]
    least, most = float(min(low for low, _ in extremes)), float(max(high for _, high in extremes))
    if not np.isfinite([least, most]).all():
        raise PictureError("it holds samples that are no numbers")
    black, white, _ = check_used(found, least, most, significant_bits)
    clear = picture.info.get("transparency")

    def rgb(top: int, bottom: int) -> Pixels:
        samples = np.asarray(strip(top, bottom))
        if (black, white) == (0.0, 65535.0):
            grey = _to_8_bit(samples.clip(0, 65535))
        else:
            share = (samples.astype(np.float64) - black) / (white - black)
            grey = np.floor(share * 255.0 + 0.5).clip(0, 255).astype(np.uint8)
        if isinstance(clear, int):
            grey[samples == clear] = 255
        return grey[:, :, None]

    return _by_strips(*picture.size, rgb)


def _strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """(first row, row behind the last) of each strip of about `STRIP_PIXELS`."""
    rows = max(1, STRIP_PIXELS // width)
    return ((top, min(height, top + rows)) for top in range(0, height, rows))


def _by_strips(width: int, height: int, rgb: Callable[[int, int], Pixels]) -> Pixels:
    """uint8 [height, width, 3] of what `rgb` makes of the rows of each strip: [rows, width, 1 or 3]."""
    first, *more = _strips(width, height)
    if not more:
        pixels = rgb(*first)
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    whole = np.empty((height, width, 3), np.uint8)
    for top, bottom in (first, *more):
        whole[top:bottom] = rgb(top, bottom)
    return whole


def _to_8_bit(pixels: Pixels) -> Pixels:
    """0..65535 -> 0..255, rounded: 65535 = 255 * 257."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(pixels: Pixels) -> Pixels:
    """RGBA [height, width, 4] laid on white, [height, width, 3], as Pillow's `alpha_composite` rounds it."""
    alpha = pixels[:, :, 3:].astype(np.uint32)
    blended = pixels[:, :, :3] * alpha * 128 + 255 * (255 - alpha) * 128 + (128 << 7)
    return ((((blended >> 8) + blended) >> 8) >> 7).astype(np.uint8)
