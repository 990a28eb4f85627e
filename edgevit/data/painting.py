"""What the synthetic data sets are painted with: lines, a wall behind the things, and a bad camera in front of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

__all__ = ["Camera", "Plane", "inside", "paint", "paint_wall", "photograph", "pixel_centres", "stroke"]

Plane = NDArray[np.float32]
"""One number for each pixel: [height, width]."""


@dataclass(frozen=True)
class Camera:
    """What light, lens and sensor do to a scene, in units that know no pixels. A length of 1 is the shorter side."""

    light_deg: float
    light: float
    """How much darker the shadow side is, 0..1."""
    blur: float
    """Standard deviation of the lens blur, in shorter sides."""
    noise: float
    """Standard deviation of the sensor noise, in grey levels."""


def pixel_centres(width: int, height: int) -> tuple[Plane, Plane]:
    """x and y of every pixel's centre, [height, width] each, in shorter sides from the upper left corner."""
    short = min(width, height)
    columns = (np.arange(width, dtype=np.float32) + 0.5) / short
    rows = (np.arange(height, dtype=np.float32) + 0.5) / short
    x, y = np.meshgrid(columns, rows)
    return x.astype(np.float32), y.astype(np.float32)


def stroke(distance: NDArray[Any], half_width: float | Plane, pixel: float) -> Plane:
    """How much of a pixel a line covers, 0..1, [height, width]: a box filter one `pixel` wide over its profile.

    A line thinner than a pixel becomes fainter, not thicker: what a camera does, and why resolution matters here.
    """
    outer: Plane = np.clip((distance + half_width) / pixel + 0.5, 0.0, 1.0)
    inner: Plane = np.clip((distance - half_width) / pixel + 0.5, 0.0, 1.0)
    return outer - inner


def inside(signed: NDArray[Any], pixel: float) -> Plane:
    """How much of a pixel an area covers, 0..1, [height, width]; signed: the distance from its edge, below 0 inside."""
    covered: Plane = np.clip(0.5 - signed / pixel, 0.0, 1.0)
    return covered


def paint(canvas: Plane, cover: Plane, colour: NDArray[np.float32]) -> None:
    """Lays `colour` [3] over the canvas [height, width, 3] where `cover` [height, width] says so."""
    canvas += cover[:, :, None] * (colour - canvas)


def paint_wall(wall: NDArray[np.float32], clutter: NDArray[np.float32], x: Plane, y: Plane) -> Plane:
    """A wall and what hangs on it: [height, width, 3] in 0..255.

    wall: coarse colours, [rows, columns, 3] in 0..255; clutter: [count, 7] of centre x, y, half width and half height,
    then RGB; `x` and `y` [height, width] are in the same units.
    """
    height, width = x.shape
    planes = [
        Image.fromarray(np.ascontiguousarray(wall[:, :, channel])).resize((width, height), Image.Resampling.BICUBIC)
        for channel in range(3)
    ]
    canvas: Plane = np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)
    for left, top, half_width, half_height, *colour in clutter:
        canvas[(np.abs(x - left) < half_width) & (np.abs(y - top) < half_height)] = colour
    return canvas


def photograph(camera: Camera, canvas: Plane, x: Plane, y: Plane, rng: Generator) -> NDArray[np.uint8]:
    """Uneven light, then a soft lens, then a noisy sensor: uint8 [height, width, 3]; x and y as `pixel_centres`."""
    height, width = x.shape
    short = min(width, height)
    angle = np.deg2rad(camera.light_deg)
    slope = (x - width / (2 * short)) * np.cos(angle) + (y - height / (2 * short)) * np.sin(angle)
    lit = canvas * (1.0 - camera.light * (0.5 + slope))[:, :, None]
    picture = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(camera.blur * short)), np.float32)
    noisy = blurred + camera.noise * rng.standard_normal((height, width, 3), np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
