"""What of a picture a model of keypoints is shown: all of it, or one subject, cut out around its box.

Training and evaluation both ask here; the runtime's own crops (`edgevit_runtime.preprocess.box_crops`) are what comes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit_runtime.preprocess.box_crops import BoxAround, BoxCrop, crop_around
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.resolution import ResolutionLike

__all__ = ["Corners", "subject_crop", "subject_frame"]

Corners = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax in pixels of a picture."""

THINNEST_PX = 1.0
"""A box around points on one line is made so wide."""


def subject_crop(
    box: NDArray[Any], margin: float | None, picture_size: tuple[int, int], resolution: ResolutionLike, policy: str
) -> BoxCrop:
    """Where the subject of a box [4] lies in what a model is shown at a resolution.

    margin: by how much of its longer side the box is grown on each side; None: the whole picture is shown.
    """
    if margin is None:
        return BoxCrop(picture_size, (0, 0), fitting_of(picture_size, resolution, policy))
    return crop_around(BoxAround(*_extended(box, picture_size), margin), picture_size, resolution, policy)


def subject_frame(box: NDArray[Any], margin: float | None, picture_size: tuple[int, int]) -> Corners:
    """What `subject_crop` brings to the resolution; a grown box may reach beyond the picture."""
    if margin is None:
        return 0.0, 0.0, float(picture_size[0]), float(picture_size[1])
    xmin, ymin, xmax, ymax = _extended(box, picture_size)
    grown = margin * max(xmax - xmin, ymax - ymin)
    return xmin - grown, ymin - grown, xmax + grown, ymax + grown


def _extended(box: NDArray[Any], picture_size: tuple[int, int]) -> Corners:
    """A box with an extent: around one point alone nothing says how large its subject is, so the picture's is taken."""
    corners = np.asarray(box, np.float64).reshape(2, 2)
    sides = corners[1] - corners[0]
    if not sides.max() > 0.0:
        return 0.0, 0.0, float(picture_size[0]), float(picture_size[1])
    more = np.maximum(0.0, THINNEST_PX - sides) / 2
    (xmin, ymin), (xmax, ymax) = np.clip(corners + np.stack([-more, more]), 0.0, picture_size).tolist()
    return xmin, ymin, xmax, ymax
