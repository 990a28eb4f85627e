"""Where a model looks: the class token's attention over the patches, in the terminal and over the picture."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from edgevit_runtime.atomic_write import check_writable, not_written, replacing
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.resolution import Resolution

Array = np.ndarray[Any, Any]

SHADES = " .:-=+*#%@"
HOT = (255, 40, 0)
"""The colour of what is looked at most; a red that shows on foliage and sky alike."""
STRENGTH = 0.75
DRAWN = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a drawing's file name may end in."""


def shades(attention: Array) -> list[str]:
    """[rows, columns] -> a line of text for each row, two characters a patch: about as wide as high."""
    steps = (_relative(attention) * (len(SHADES) - 1)).round().astype(int)
    return ["".join(2 * SHADES[step] for step in row).rstrip() for row in steps]


def overlay(pixels: Array, attention: Array, resolution: Resolution, policy: str) -> Array:
    """The picture, uint8 [height, width, 3], with what the model looks at in red; what it never saw stays dark.

    policy: how it was fitted to the resolution.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    fitting = fitting_of((width, height), resolution, policy)
    corners = fitting.to_picture([(0.0, 0.0), (resolution.width, resolution.height)])
    (left, top), (right, bottom) = corners.tolist()
    # Each pixel's place among the patches, in pixels of a picture with one pixel a patch.
    mask = Image.fromarray((_relative(attention) * 255.0).round().astype(np.uint8))
    rows, columns = attention.shape
    scale_x, scale_y = columns / (right - left), rows / (bottom - top)
    placed = mask.transform(
        (width, height),
        Image.Transform.AFFINE,
        (scale_x, 0.0, -left * scale_x, 0.0, scale_y, -top * scale_y),
        Image.Resampling.BICUBIC,
    )
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    seen = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))[None]
    share = (np.asarray(placed, np.float32) / 255.0 * STRENGTH * seen)[:, :, None]
    blended = pixels * (1.0 - share) + np.array(HOT, np.float32) * share
    dimmed = np.where(seen[:, :, None], blended, pixels * 0.35)
    return dimmed.round().clip(0, 255).astype(np.uint8)


def check_drawing(path: str, *, overwrite: bool) -> None:
    """Raises `EdgeViTError` where `path` cannot become a picture file, before any work is done for it.

    overwrite: whether a file that is there may be replaced.
    """
    if os.path.splitext(path)[1].lower() not in DRAWN:
        raise EdgeViTError(f"a drawing is written as a picture file ({', '.join(DRAWN)}), not {path!r}")
    check_writable(path, overwrite=overwrite)


def draw_look(path: str, pixels: Array, attention: Array, resolution: Resolution, policy: str) -> None:
    """Writes the overlay to a picture file, whole or not at all. Raises `EdgeViTError` where it cannot."""
    try:
        from PIL import Image
    except ImportError:
        raise EdgeViTError("drawing needs Pillow: `pip install 'edgevit-runtime[pictures]'`") from None
    try:
        with replacing(path) as partial:
            Image.fromarray(overlay(pixels, attention, resolution, policy)).save(partial)
    except OSError as error:
        raise not_written(path, error) from error


def _relative(attention: Array) -> Array:
    """0 for the least, 1 for the most."""
    low, high = float(attention.min()), float(attention.max())
    return (attention - low) / max(high - low, 1e-12)
