"""How pixels become patch tokens: one convolution of patches, or several small ones, each of half the rows and columns.

Patches share no pixel, so the pixels of a patch's line, P of three colours, can be taken as one of 3 P channels, which
moves nothing: the same products in the same order of the same weights. A kernel of P lines is P times 3 P numbers in a
row, where one of P x P pixels is P² times three: engines fetch whole rows, and pad three channels to four or eight.

Zeros around a plane are of normalised colours, where zero is the mean colour. So a stem of several takes that away by
an op of its own, while of a single one, which has nothing around, all normalisation is folded into its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folded import Folded
from converters.graph.norms import convolve
from edgevit.config import ViTConfig

Product = Callable[[Any, Any], Any]


def stem(do: Arithmetic, config: ViTConfig, folded: Folded, pixels: Any) -> tuple[Any, Product]:
    """What the patch embedding reads of the pixels, 0 to 255, and how: [b, H, W, 3] -> [b, R, C, n]."""
    if not folded.stem:
        height, width = pixels.shape[1:3]
        shape = [pixels.shape[0] or -1, height, width // config.patch, 3 * config.patch]
        return do.view("pixels", tf.reshape, pixels, shape), convolve
    mean = do.constant([255.0 * each for each in config.mean], own_range=True, read_at="stem/colours")
    plane, site = do.compute("stem/colours", tf.subtract, pixels, mean), "stem/colours"
    for index, layer in enumerate(folded.stem):
        plane, site = _edged(do, site, plane), stem_site(index)
        plane = do.view(site, tf.nn.relu, do.linear(site, halve, plane, layer))
    return _edged(do, site, plane), halve


def _edged(do: Arithmetic, site: str, plane: Any) -> Any:
    """[b, R, C, n] -> [b, R + 1, C + 1, n]: zeros above and to the left. Sides are even, so that windows of 3 with
    steps of 2 end with the plane."""
    return do.view(site, tf.pad, plane, [[0, 0], [1, 0], [1, 0], [0, 0]])


def stem_site(index: int) -> str:
    """Of one of its convolutions, from 0."""
    return f"stem/{index}/strided"


def halve(plane: Any, weight: Any) -> Any:
    """[b, R + 1, C + 1, in] and [out, 3, 3, in] -> [b, R / 2, C / 2, out]."""
    return tf.nn.conv2d(plane, tf.transpose(weight, [1, 2, 3, 0]), 2, "VALID")
