"""A picture is fitted to a resolution, and what is found there goes back to the picture's own pixels.

Host and device both run this code. With or without Pillow, the same pixels come out, byte for byte. Where things lie
is worked out in whole numbers, so that a runtime in any language comes to the same (`runtimes/contract`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import PictureError
from edgevit_runtime.preprocess.colours import STRIP_PIXELS, Pixels
from edgevit_runtime.preprocess.pictures import MAX_PIXELS, Picture, loaded
from edgevit_runtime.preprocess.policy import DEFAULT_FILL, DEFAULT_POLICY, Policy, check_fill, parse_policy
from edgevit_runtime.preprocess.resample import resize
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

Points = np.ndarray[Any, Any]

MOST_CUT_OFF = 8
"""Where a crop keeps less than one part in so many of a side, only that part is computed."""
COLUMN_PIXELS = 1 << 23
"""So many pixels, resized along their rows only, are held at a time."""


@dataclass(frozen=True)
class Fitting:
    """Where a picture lies in what was prepared of it.

    The whole picture, `picture` (width, height) in its own pixels, was resized to `scaled` (width, height), whose upper
    left corner lies at (`left`, `top`) of the prepared picture: 0 or less under crop, 0 or more under letterbox.
    Coordinates are of pixels' edges, as floats: the picture's upper left corner is (0, 0), its lower right one
    (width, height).
    """

    picture: tuple[int, int]
    resolution: Resolution
    scaled: tuple[int, int]
    left: int
    top: int

    @property
    def content(self) -> tuple[int, int, int, int]:
        """The part of the prepared picture that shows the picture: left, top, right, bottom, the last two exclusive."""
        return (
            max(0, self.left),
            max(0, self.top),
            min(self.resolution.width, self.left + self.scaled[0]),
            min(self.resolution.height, self.top + self.scaled[1]),
        )

    def to_picture(self, points: Any) -> Points:
        """Points of the prepared picture, [..., 2] of x and y, in the picture's own pixels: float64 [..., 2]."""
        return (_points(points) - (self.left, self.top)) * self.picture / self.scaled

    def to_prepared(self, points: Any) -> Points:
        """Points of the picture, [..., 2] of x and y, in the prepared picture: float64 [..., 2]."""
        return _points(points) * self.scaled / self.picture + (self.left, self.top)

    def boxes_to_picture(self, boxes: Any) -> Points:
        """Boxes [..., 4] (xmin, ymin, xmax, ymax) of the prepared picture in the picture's pixels, cut at its edges."""
        corners = self.to_picture(_boxes(boxes))
        return np.clip(corners, 0.0, self.picture).reshape(np.shape(boxes))

    def boxes_to_prepared(self, boxes: Any) -> Points:
        """Boxes [..., 4] (xmin, ymin, xmax, ymax) of the picture in the prepared picture, cut at its edges."""
        corners = self.to_prepared(_boxes(boxes))
        return np.clip(corners, 0.0, (self.resolution.width, self.resolution.height)).reshape(np.shape(boxes))


def fitting_of(picture_size: tuple[int, int], resolution: ResolutionLike, policy: str = DEFAULT_POLICY) -> Fitting:
    """Where a picture of `picture_size`, width and height, lies under `policy`. Raises `PictureError` for no policy."""
    return _fitting(picture_size, as_resolution(resolution), parse_policy(policy))


def _fitting(picture_size: tuple[int, int], resolution: Resolution, policy: Policy) -> Fitting:
    width, height = picture_size
    if width < 1 or height < 1:
        raise PictureError(f"a picture of {width} x {height} pixels shows nothing")
    to_width, to_height = resolution.width, resolution.height
    if policy.kind == "squash":
        scaled = to_width, to_height
    elif policy.kind == "crop":
        cover_width = max(to_width, int(to_width / policy.crop))
        cover_height = max(to_height, int(to_height / policy.crop))
        if cover_width * height >= cover_height * width:  # its width is the scarce one
            scaled = cover_width, max(cover_height, cover_width * height // width)
        else:
            scaled = max(cover_width, cover_height * width // height), cover_height
    elif to_width * height <= to_height * width:  # its width meets the edges first
        scaled = to_width, max(1, (2 * to_width * height + width) // (2 * width))
    else:
        scaled = max(1, (2 * to_height * width + height) // (2 * height)), to_height
    left, top = (_half(free - part) for free, part in zip((to_width, to_height), scaled))
    return Fitting((width, height), resolution, scaled, left, top)


def fit(
    pixels: Pixels,
    resolution: ResolutionLike,
    policy: str = DEFAULT_POLICY,
    fill: Sequence[int] = DEFAULT_FILL,
) -> Pixels:
    """An RGB picture, uint8 [height, width, 3], under `policy`: uint8 [H, W, 3] of the resolution W x H.

    fill: the colour around the picture under letterbox.
    """
    return laid_out(pixels, fitting_of((pixels.shape[1], pixels.shape[0]), resolution, policy), policy, fill)


def laid_out(pixels: Pixels, fitting: Fitting, policy: str, fill: Sequence[int]) -> Pixels:
    """An RGB picture, uint8 [height, width, 3], where `fitting` says that it lies: uint8 [H, W, 3]. See `fit`."""
    interpolation, colour, resolution = parse_policy(policy).interpolation, check_fill(fill), fitting.resolution
    left, top, right, bottom = fitting.content
    box = left - fitting.left, top - fitting.top, right - fitting.left, bottom - fitting.top
    content = _resized(pixels, fitting.scaled, box, interpolation)
    if content.shape[:2] == (resolution.height, resolution.width):
        return content
    prepared = np.empty((resolution.height, resolution.width, 3), np.uint8)
    prepared[:] = colour
    prepared[top:bottom, left:right] = content
    return prepared


def prepare(
    source: Picture,
    resolution: ResolutionLike,
    policy: str = DEFAULT_POLICY,
    max_pixels: int = MAX_PIXELS,
    fill: Sequence[int] = DEFAULT_FILL,
) -> Pixels:
    """Any picture -> uint8 [H, W, 3] of the resolution W x H, as the artefact's input `image` wants it."""
    with loaded(source, max_pixels) as pixels:
        return fit(pixels, resolution, policy, fill)


def _half(difference: int) -> int:
    """Half of it, towards zero."""
    return difference // 2 if difference >= 0 else -(-difference // 2)


def _points(points: Any) -> Points:
    return np.asarray(points, np.float64)


def _boxes(boxes: Any) -> Points:
    """[..., 4] -> [..., 2, 2]: the corners of each box."""
    values = _points(boxes)
    return values.reshape(*values.shape[:-1], 2, 2)


def _resized(pixels: Pixels, size: tuple[int, int], box: tuple[int, int, int, int], interpolation: str) -> Pixels:
    """By Pillow where it is installed, which is faster; by numpy otherwise, with equal bytes."""
    if size == (pixels.shape[1], pixels.shape[0]):
        return np.ascontiguousarray(pixels[box[1] : box[3], box[0] : box[2]])
    # Pillow would make all of a long picture first, to keep little. (Its `box` rounds otherwise.)
    if size[0] > MOST_CUT_OFF * (box[2] - box[0]) or size[1] > MOST_CUT_OFF * (box[3] - box[1]):
        return resize(pixels, size, box, interpolation)
    try:
        from PIL import Image
    except ImportError:
        return resize(pixels, size, box, interpolation)
    # Two steps, rows first: in one, the order is Pillow's choice (13.0 began to choose), and the rounding with it.
    # By strips of rows, and of columns: rows do not depend on each other, nor then do columns, and no copy of a large
    # picture is made.
    filter_ = Image.Resampling[interpolation.upper()]
    height, new_width = pixels.shape[0], box[2] - box[0]
    step = max(1, STRIP_PIXELS // max(pixels.shape[1], size[0]))
    columns = min(new_width, max(1, COLUMN_PIXELS // height))
    resized = np.empty((box[3] - box[1], new_width, 3), np.uint8)
    for left in range(0, new_width, columns):
        right = min(new_width, left + columns)
        rows = np.empty((height, right - left, 3), np.uint8)
        for top in range(0, height, step):
            strip = Image.fromarray(np.ascontiguousarray(pixels[top : top + step]))
            wide = strip.resize((size[0], strip.height), filter_)
            rows[top : top + step] = np.asarray(wide.crop((box[0] + left, 0, box[0] + right, wide.height)))
        whole = Image.fromarray(rows).resize((right - left, size[1]), filter_)
        resized[:, left:right] = np.asarray(whole.crop((0, box[1], whole.width, box[3])))
    return resized
