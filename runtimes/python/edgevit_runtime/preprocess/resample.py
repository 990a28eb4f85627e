"""Resizing a picture with numpy alone, to the very bytes that Pillow gives.

Where Pillow is not installed, arrays (a camera's frames, say) still become what the artefact wants, and the answer is
that of the host. The method is Pillow's for 8 bits a channel: a filter as wide as the shrinking asks for, weights as
integers of 22 fractional bits, rows first, then columns, each rounded and clipped to 0..255
(https://pillow.readthedocs.io/en/stable/handbook/concepts.html#filters). Tests hold both equal, byte for byte.
"""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np

Pixels = np.ndarray[Any, Any]
FRACTION_BITS = 32 - 8 - 2
"""Of a weight: an int32 then holds 255 times it, with two bits to spare for sums beyond 1."""
STRIP_SAMPLES = 1 << 21
"""So many sums are held at a time."""


def _bilinear(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _bicubic(x: float, a: float = -0.5) -> float:
    """Keys 1981, doi 10.1109/TASSP.1981.1163711, with a = -0.5."""
    x = abs(x)
    if x < 1.0:
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    if x < 2.0:
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return 0.0


# name -> (filter, its reach to each side, in pixels)
FILTERS: dict[str, tuple[Callable[[float], float], float]] = {"bicubic": (_bicubic, 2.0), "bilinear": (_bilinear, 1.0)}


def _weights(size: int, new_size: int, start: int, stop: int, interpolation: str) -> tuple[Pixels, Pixels]:
    """(first pixels [n], integer weights [n, taps]) of the new pixels start..stop-1 along one axis."""
    if size == new_size:
        return np.arange(start, stop), np.full((stop - start, 1), 1 << FRACTION_BITS, np.int32)
    filter_at, reach = FILTERS[interpolation]
    scale = size / new_size
    stretch = max(scale, 1.0)
    support = reach * stretch
    taps = math.ceil(support) * 2 + 1
    firsts, weights = np.zeros(stop - start, np.int64), np.zeros((stop - start, taps), np.int32)
    for row, position in enumerate(range(start, stop)):
        center = (position + 0.5) * scale
        first = max(0, int(center - support + 0.5))
        last = min(size, int(center + support + 0.5))
        values = [filter_at((at - center + 0.5) * (1.0 / stretch)) for at in range(first, last)]
        total = 0.0
        for value in values:  # one after the other, as Pillow adds them: sum() is more exact from Python 3.12 on
            total += value
        firsts[row] = first
        for tap, value in enumerate(values):
            share = value / total * (1 << FRACTION_BITS) if total else value
            weights[row, tap] = int(share - 0.5 if share < 0 else share + 0.5)
    return firsts, weights


def _along_rows(pixels: Pixels, firsts: Pixels, weights: Pixels) -> Pixels:
    """uint8 [height, old width, channels] -> [height, n, channels], with what `_weights` gave."""
    resized = np.empty((pixels.shape[0], len(firsts), pixels.shape[2]), np.uint8)
    step = max(1, STRIP_SAMPLES // resized[0].size)
    for top in range(0, pixels.shape[0], step):
        strip = pixels[top : top + step]
        total = np.full((strip.shape[0], *resized.shape[1:]), 1 << (FRACTION_BITS - 1), np.int32)
        for tap in range(weights.shape[1]):
            # A weight beyond the picture's edge is 0, so what it multiplies does not matter.
            total += strip[:, np.minimum(firsts + tap, pixels.shape[1] - 1)] * weights[:, tap, None]
        resized[top : top + step] = np.clip(total >> FRACTION_BITS, 0, 255)
    return resized


def resize(pixels: Pixels, size: tuple[int, int], box: tuple[int, int, int, int], interpolation: str) -> Pixels:
    """The part `box` (left, top, right, bottom) of the picture resized to `size` (width, height).

    pixels: uint8 [height, width, channels] -> uint8 [bottom - top, right - left, channels]. No more is computed than
    that part needs.
    """
    left, top, right, bottom = box
    across = _weights(pixels.shape[1], size[0], left, right, interpolation)
    firsts, weights = _weights(pixels.shape[0], size[1], top, bottom, interpolation)
    first, last = int(firsts[0]), int(firsts[-1]) + weights.shape[1]
    rows = _along_rows(pixels[first:last], *across)
    columns = _along_rows(rows.transpose(1, 0, 2), firsts - first, weights)
    return np.ascontiguousarray(columns.transpose(1, 0, 2))
