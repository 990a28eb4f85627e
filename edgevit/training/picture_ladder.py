"""The ladder that a dense task learns where nobody names one: it has the shape that the pictures have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.config import nearest_resolution
from edgevit.data.picture_frame import read_frame
from edgevit.errors import PictureError
from edgevit_runtime.resolution import Resolution

LONGER_SIDES: tuple[tuple[int, ...], ...] = ((224, 320), (256, 448), (320, 512), (448, 640))
"""In pixels, a pair for each ladder: the first is what a device can afford; the others are for small things."""
LEAST_PATCHES = 1.6
"""So many patches long half of each class's things should be at a ladder's top. Blood platelets of 15 px, a patch, have
an AP of 18 %, the same of 27 px 38 % (benchmarks/results/blood_cells.json)."""
FEWEST = 5
"""Classes of fewer things say nothing of how large these are."""
LOOKED_AT = 200
ALIKE = 1.2
"""Pictures are of one shape where nine of ten are within this factor of it; a shape within it of 1 is square."""


def picture_ladder(
    files: Sequence[Path],
    patch: int,
    boxes: Sequence[NDArray[np.float32]] = (),
    classes: Sequence[NDArray[np.int32]] = (),
) -> tuple[Resolution, ...]:
    """Two resolutions, square unless (nearly) all pictures are of another shape: a camera's 640 x 360 stays wide.

    boxes: of each picture [n, 4] in its pixels, and classes [n]; where those of a class are small, the resolutions are
    higher.
    """
    step = -(-len(files) // LOOKED_AT)
    sizes = [upright_size(file) for file in files[::step]]
    shares = [
        np.sqrt(np.prod(np.maximum(each[:, 2:] - each[:, :2], 0.0), axis=1)) / max(size)
        for each, size in zip(boxes[::step], sizes, strict=False)
        if size is not None
    ]
    kinds = [each for each, size in zip(classes[::step], sizes, strict=False) if size is not None]
    known = [each for each in sizes if each is not None]
    smallest = _smallest(np.concatenate(shares), np.concatenate(kinds)) if shares else 1.0
    return ladder_of(known, patch, smallest)


def ladder_of(sizes: Sequence[tuple[float, float]], patch: int, thing_share: float = 1.0) -> tuple[Resolution, ...]:
    """For pictures, or parts of pictures, of these widths and heights; their shape alone counts.

    thing_share: how large what is to be found is, as a share of a picture's longer side.
    """
    shape = _shape([float(np.log(width / height)) for width, height in sizes])
    enough = [sides for sides in LONGER_SIDES if sides[-1] * thing_share >= LEAST_PATCHES * patch]
    found = []
    for longer in enough[0] if enough else LONGER_SIDES[-1]:
        width, height = (longer, longer / shape) if shape >= 1.0 else (longer * shape, longer)
        found.append(nearest_resolution(Resolution(round(width), round(height)), patch))
    return tuple(dict.fromkeys(found))


def _smallest(shares: NDArray[Any], classes: NDArray[np.int32]) -> float:
    """Half of each class's things are as large; 1 where there are none."""
    kinds, counts = np.unique(classes, return_counts=True)
    known = kinds[counts >= FEWEST] if (counts >= FEWEST).any() else kinds
    return min((float(np.median(shares[classes == each])) for each in known), default=1.0)


def upright_size(file: Path) -> tuple[int, int] | None:
    """(width, height) of a picture, turned as EXIF says; None for one that is damaged: whoever reads it says so."""
    try:
        return read_frame(file).upright
    except PictureError:
        return None


def _shape(logs: Sequence[float]) -> float:
    """Width over height, by its logarithms; 1 where they differ, or there are none."""
    if not logs:
        return 1.0
    middle = float(np.median(logs))
    together = float(np.mean(np.abs(np.array(logs) - middle) <= np.log(ALIKE)))
    return float(np.exp(middle)) if together >= 0.9 and abs(middle) > np.log(ALIKE) else 1.0
