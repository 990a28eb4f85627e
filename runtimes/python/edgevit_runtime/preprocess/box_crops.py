"""One thing of a picture, cut out around its box for a model that looks at one thing at a time.

The box is grown on each side by a share of its longer side, and what it then holds is fitted as a picture is. Where it
reaches beyond the picture's edge, there is a letterbox's ground. Host and device both run this code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.colours import Pixels
from edgevit_runtime.preprocess.fitting import Fitting, Points, fitting_of, laid_out
from edgevit_runtime.resolution import ResolutionLike


class BoxAround(NamedTuple):
    """A box in the picture's own pixels, and by which share of its longer side it grows on each side."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    margin: float


class BoxCrop(NamedTuple):
    """Where a grown box lies in what was prepared of it.

    picture: (width, height) of the whole picture.
    corner: (left, top) of the part of it that the grown box holds, in whole pixels.
    fitting: where that part, `fitting.picture` wide and high, lies in the prepared picture.
    """

    picture: tuple[int, int]
    corner: tuple[int, int]
    fitting: Fitting

    def to_picture(self, points: Any) -> Points:
        """Points of the prepared picture, [..., 2] of x and y, in the whole picture's own pixels: float64 [..., 2]."""
        found: Points = self.fitting.to_picture(points) + self.corner
        return found

    def to_prepared(self, points: Any) -> Points:
        """Points of the whole picture, [..., 2] of x and y, in the prepared picture: float64 [..., 2]."""
        return self.fitting.to_prepared(np.asarray(points, np.float64) - self.corner)


def crop_around(box: BoxAround, picture_size: tuple[int, int], resolution: ResolutionLike, policy: str) -> BoxCrop:
    """Where the box, grown, lies in a picture of a resolution.

    picture_size: (width, height) of the picture; what of the box lies beyond is cut off before it grows.
    policy: how what it holds is brought to the resolution.
    Raises `PictureError` where the box shows nothing of the picture.
    """
    width, height = picture_size
    xmin, ymin, xmax, ymax = _inside(box, width, height)
    grown = box.margin * max(xmax - xmin, ymax - ymin)
    left, top = math.floor(xmin - grown), math.floor(ymin - grown)
    right, bottom = math.ceil(xmax + grown), math.ceil(ymax + grown)
    whole = fitting_of((right - left, bottom - top), resolution, policy)
    seen = max(0, left), max(0, top), min(width, right), min(height, bottom)
    corners = [(seen[0] - left, seen[1] - top), (seen[2] - left, seen[3] - top)]
    near, far = (tuple(math.floor(each + 0.5) for each in corner) for corner in whole.to_prepared(corners).tolist())
    # Nothing around it is ever made: beyond a picture's edge the prepared picture stays as it was filled.
    scaled = max(1, far[0] - near[0]), max(1, far[1] - near[1])
    part = seen[2] - seen[0], seen[3] - seen[1]
    return BoxCrop((width, height), seen[:2], Fitting(part, whole.resolution, scaled, near[0], near[1]))


def fit_crop(pixels: Pixels, crop: BoxCrop, policy: str, fill: Sequence[int]) -> Pixels:
    """An RGB picture, uint8 [height, width, 3] -> its crop, uint8 [H, W, 3] of the resolution W x H.

    crop, policy: as for `crop_around`. fill: the colour beyond the picture's edge.
    """
    (left, top), (width, height) = crop.corner, crop.fitting.picture
    return laid_out(pixels[top : top + height, left : left + width], crop.fitting, policy, fill)


def _inside(box: BoxAround, width: int, height: int) -> tuple[float, float, float, float]:
    """What of it lies in the picture."""
    corners = tuple(map(float, box[:4]))
    if all(map(math.isfinite, corners)):
        xmin, ymin, xmax, ymax = corners
        xmin, ymin, xmax, ymax = max(0.0, xmin), max(0.0, ymin), min(float(width), xmax), min(float(height), ymax)
        if xmin < xmax and ymin < ymax:
            return xmin, ymin, xmax, ymax
    shown = ", ".join(f"{each:g}" for each in corners)
    raise PictureError(
        f"the box ({shown}) shows nothing of a picture of {width} x {height} pixels: boxes are xmin, ymin, xmax, ymax "
        "in the picture's own pixels"
    )
