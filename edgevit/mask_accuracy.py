"""How right class maps are, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["IGNORED", "class_ious", "confusion", "mean_iou", "named_at", "summed"]

IGNORED = 255
"""In a mask: a place that is not judged."""


def named_at(logits: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.uint8]:
    """Logits [rows, columns, classes] -> the class at each of `size` (height, width) pixels: uint8 [H, W].

    Bilinearly, by the middles of pixels, as the head itself enlarges.
    """
    height, width = size
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(logits[..., index], np.float32)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
        for index in range(logits.shape[-1])
    ]
    return np.asarray(np.argmax(planes, axis=0), np.uint8)


def confusion(found: NDArray[np.uint8], mask: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """[true, found]: how many pixels of each class were named each class; ignored ones are left out."""
    judged = (mask != IGNORED) & (found != IGNORED)
    pairs = mask[judged].astype(np.int64) * classes + found[judged]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def summed(matrices: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Of several pictures together."""
    return np.asarray(np.sum(matrices, axis=0), np.int64)


def class_ious(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """[classes]; NaN for a class that is neither there nor found. Everingham et al. 2010 (PASCAL VOC), section 4.3."""
    hits = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - hits
    return np.asarray(np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0))


def mean_iou(matrix: NDArray[np.int64]) -> float:
    """The mean over the classes that are there or were found; 0 where nothing was judged."""
    shares = class_ious(matrix)
    return 0.0 if np.isnan(shares).all() else float(np.nanmean(shares))
