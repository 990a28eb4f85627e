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
    shape = _shape(files[:: -(-len(files) // LOOKED_AT)])
    found = []
    for longer in LONGER_SIDES:
        width, height = (longer, longer / shape) if shape >= 1.0 else (longer * shape, longer)
        found.append(nearest_resolution(Resolution(round(width), round(height)), patch))
    return tuple(dict.fromkeys(found))


def _shape(files: Sequence[Path]) -> float:
    """Width over height, of upright pictures; 1 where they differ, or cannot be read."""
    logs = []
    for file in files:
        try:
            with Image.open(file) as picture:
                width, height = picture.size
                turned = picture.getexif().get(ORIENTATION, 1) >= TURNED
        except Exception:  # damaged: whoever reads it says so
            continue
        logs.append(np.log(height / width if turned else width / height))
    if not logs:
        return 1.0
    middle = float(np.median(logs))
    together = float(np.mean(np.abs(np.array(logs) - middle) <= np.log(ALIKE)))
    return float(np.exp(middle)) if together >= 0.9 and abs(middle) > np.log(ALIKE) else 1.0


ORIENTATION, TURNED = 274, 5
"""EXIF's tag, and the values from which on width and height are exchanged."""
