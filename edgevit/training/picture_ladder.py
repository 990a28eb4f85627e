"""The ladder that a dense task learns where nobody names one: it has the shape that the pictures have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.config import nearest_resolution
from edgevit_runtime.resolution import Resolution

LONGER_SIDES = (224, 320)
"""In pixels, where pictures are not smaller themselves: what a device can afford, and what small things need."""
LOOKED_AT = 200
ALIKE = 1.2
"""Pictures are of one shape where nine of ten are within this factor of it; a shape within it of 1 is square."""


def picture_ladder(files: Sequence[Path], patch: int) -> tuple[Resolution, ...]:
    """Two resolutions, square unless (nearly) all pictures are of another shape: a camera's 640 x 360 stays wide."""
    sizes = map(upright_size, files[:: -(-len(files) // LOOKED_AT)])
    return ladder_of([each for each in sizes if each is not None], patch)


def ladder_of(sizes: Sequence[tuple[float, float]], patch: int) -> tuple[Resolution, ...]:
    """For pictures, or parts of pictures, of these widths and heights; their shape alone counts."""
    shape = _shape([float(np.log(width / height)) for width, height in sizes])
    found = []
    for longer in LONGER_SIDES:
        width, height = (longer, longer / shape) if shape >= 1.0 else (longer * shape, longer)
        found.append(nearest_resolution(Resolution(round(width), round(height)), patch))
    return tuple(dict.fromkeys(found))


def upright_size(file: Path) -> tuple[int, int] | None:
    """(width, height) of a picture, turned as EXIF says; None for one that is damaged: whoever reads it says so."""
    try:
        with Image.open(file) as picture:
            width, height = picture.size
            return (height, width) if picture.getexif().get(ORIENTATION, 1) >= TURNED else (width, height)
    except Exception:
        return None


def _shape(logs: Sequence[float]) -> float:
    """Width over height, by its logarithms; 1 where they differ, or there are none."""
    if not logs:
        return 1.0
    middle = float(np.median(logs))
    together = float(np.mean(np.abs(np.array(logs) - middle) <= np.log(ALIKE)))
    return float(np.exp(middle)) if together >= 0.9 and abs(middle) > np.log(ALIKE) else 1.0


ORIENTATION, TURNED = 274, 5
"""EXIF's tag, and the values from which on width and height are exchanged."""
