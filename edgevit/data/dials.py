"""The embedded synthetic data set: a dial gauge in front of a bad camera, read into ten ranges.

Everything is drawn here, from a seed: no file, no download, no licence. The needle and the ticks are thin, a range is
only 27 degrees wide, and needles stop just beside the line to the next one: what a model can read depends on its
resolution, as it does with real gauges.
Numbers measured on it say how the tools behave; they say nothing about pictures of the world.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from edgevit.errors import DataError

__all__ = ["COARSE", "FINE", "LABELS", "SMALLEST_SIZE", "Needle", "dial_set", "draw_dial", "write_dial_folder"]

LABELS = tuple(f"reading {10 * index}-{10 * index + 10}" for index in range(10))
"""What the needle points at, on a scale of 0 to 100."""

SMALLEST_SIZE = 16
SWEEP_DEG = 270.0
"""From reading 0, lower left, clockwise over the top to reading 100, lower right: as most gauges have it."""
RANGE_DEG = SWEEP_DEG / len(LABELS)


@dataclass(frozen=True)
class Needle:
    """How fine a needle is, and how close to the lines between ranges it stands: what reading it takes."""

    hub: float
    """Half its width at the hub, in dial radii; it grows thinner towards the tip."""
    tip: float
    """Half its width at the tip, at least."""
    margin: float
    """The share of a range, on either side, where no needle stands: one on the line belongs to neither range."""


FINE = Needle(hub=0.050, tip=0.018, margin=0.05)
COARSE = Needle(hub=0.060, tip=0.025, margin=0.1)
"""Easier to read: as all dials were until the golden artefact had been trained on them."""

Plane = NDArray[np.float32]
"""One number for each pixel: [size, size]."""


@dataclass(frozen=True)
class _Scene:
    """All that is drawn, in units that know no pixels: one seed gives one scene at every size."""

    needle_deg: float
    needle: Needle
    centre: tuple[float, float]
    """Of the dial, in picture widths."""
    radius: float
    """Of the dial, in picture widths."""
    roll_deg: float
    tilt: tuple[float, float]
    """The camera's tilt: how strongly the dial's left-right and upper-lower halves differ in scale."""
    aspect: float
    wall: NDArray[np.float32]
    """Coarse colours behind the dial: [5, 5, 3] in 0..255."""
    boxes: NDArray[np.float32]
    """Clutter: [count, 7] of centre x, y, half width, half height in picture widths, then RGB."""
    face: NDArray[np.float32]
    ink: NDArray[np.float32]
    needle_colour: NDArray[np.float32]
    """Colours of the dial's face and of what is printed on it: [3]."""
    light_deg: float
    light: float
    """How much darker the shadow side is, 0..1."""
    glare: tuple[float, float, float]
    """A reflection: x and y in dial radii, and its strength in grey levels."""
    blur: float
    """Standard deviation of the lens blur, in picture widths."""
    noise: float
    """Standard deviation of the sensor noise, in grey levels."""


def _scene(rng: Generator, index: int, needle: Needle) -> _Scene:
    needle_deg = RANGE_DEG * (index + rng.uniform(needle.margin, 1.0 - needle.margin))
    face = rng.uniform(180, 245) + rng.uniform(-14, 14, 3)
    ink = rng.uniform(10, 50) + rng.uniform(-10, 10, 3)
    needle_colour = np.array((rng.uniform(150, 220), rng.uniform(10, 60), rng.uniform(10, 50)))
    grey = rng.uniform(70, 170)
    boxes = rng.uniform((-0.1, -0.1, 0.02, 0.02, 0, 0, 0), (1.1, 1.1, 0.2, 0.2, 1, 1, 1), (4, 7))
    boxes[:, 4:] = grey + 50 * (2 * boxes[:, 4:5] - 1) + 12 * (2 * boxes[:, 4:] - 1)
    return _Scene(
        needle_deg=needle_deg,
        needle=needle,
        centre=(0.5 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.04, 0.04)),
        radius=rng.uniform(0.42, 0.47),
        roll_deg=rng.uniform(-3, 3),
        tilt=(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)),
        aspect=rng.uniform(0.94, 1.06),
        wall=(grey + rng.uniform(-10, 10, 3) + rng.uniform(-25, 25, (5, 5, 1))).astype(np.float32),
        boxes=boxes.astype(np.float32),
        face=face.astype(np.float32),
        ink=ink.astype(np.float32),
        needle_colour=needle_colour.astype(np.float32),
        light_deg=rng.uniform(0, 360),
        light=rng.uniform(0.0, 0.3),
        glare=(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), rng.uniform(0, 60)),
        blur=rng.uniform(0.0, 0.006),
        noise=rng.uniform(2, 10),
    )


def _stroke(distance: Plane, half_width: float | Plane, pixel: float) -> Plane:
    """How much of a pixel a line covers, 0..1, [size, size]: a box filter one `pixel` wide over its profile.

    A line thinner than a pixel becomes fainter, not thicker: what a camera does, and why resolution matters here.
    """
    outer = np.clip((distance + half_width) / pixel + 0.5, 0.0, 1.0)
    covered: Plane = outer - np.clip((distance - half_width) / pixel + 0.5, 0.0, 1.0)
    return covered


def _paint(canvas: Plane, cover: Plane, colour: NDArray[np.float32]) -> None:
    """Lays `colour` [3] over the canvas [size, size, 3] where `cover` [size, size] says so."""
    canvas += cover[:, :, None] * (colour - canvas)


def _background(scene: _Scene, x: Plane, y: Plane) -> Plane:
    """The wall and what hangs on it: [size, size, 3] in 0..255."""
    size = x.shape[0]
    planes = [
        Image.fromarray(np.ascontiguousarray(scene.wall[:, :, channel])).resize((size, size), Image.Resampling.BICUBIC)
        for channel in range(3)
    ]
    canvas: Plane = np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)
    for left, top, half_width, half_height, *colour in scene.boxes:
        canvas[(np.abs(x - left) < half_width) & (np.abs(y - top) < half_height)] = colour
    return canvas


def _dial(scene: _Scene, canvas: Plane, x: Plane, y: Plane) -> None:
    """Draws the gauge onto `canvas` [size, size, 3]; `x` and `y` [size, size] are in picture widths."""
    across, down = (x - scene.centre[0]) / scene.radius, (y - scene.centre[1]) / scene.radius * scene.aspect
    depth = 1.0 + scene.tilt[0] * across + scene.tilt[1] * down
    across, down = across / depth, down / depth
    pixel = float(1.0 / (x.shape[0] * scene.radius))
    turn = np.deg2rad(scene.roll_deg)
    u = (across * np.cos(turn) + down * np.sin(turn)).astype(np.float32)
    v = (down * np.cos(turn) - across * np.sin(turn)).astype(np.float32)
    distance = np.hypot(u, v)
    _paint(canvas, _stroke(distance, 1.0, pixel), scene.ink)
    _paint(canvas, _stroke(distance, 0.94, pixel), scene.face)

    # Ticks: readings clockwise in degrees from lower left, so that the scale starts at 0 and ends at SWEEP_DEG.
    reading = np.rad2deg(np.arctan2(v, u)).astype(np.float32)
    reading = np.mod(reading - 135.0, 360.0)
    on_scale = (reading <= SWEEP_DEG + 3.0) | (reading >= 357.0)
    for step, inner, half_width in ((RANGE_DEG, 0.72, 0.016), (RANGE_DEG / 5, 0.82, 0.007)):
        off = np.abs(np.mod(reading + step / 2, step) - step / 2)
        tick = _stroke(distance * np.sin(np.deg2rad(off)), half_width, pixel)
        _paint(
            canvas,
            tick * on_scale * _stroke(distance - (inner + 0.9) / 2, (0.9 - inner) / 2, pixel),
            scene.ink,
        )

    # The needle: tapered towards its tip, with a short tail and a hub.
    angle = np.deg2rad(135.0 + scene.needle_deg)
    along = u * np.cos(angle) + v * np.sin(angle)
    beside = v * np.cos(angle) - u * np.sin(angle)
    hub, tip = scene.needle.hub, scene.needle.tip
    taper = np.clip(hub - 0.035 * along, tip, hub).astype(np.float32)
    _paint(canvas, _stroke(beside, taper, pixel) * _stroke(along - 0.30, 0.52, pixel), scene.needle_colour)
    _paint(canvas, _stroke(distance, 0.08, pixel), scene.ink)

    glare = scene.glare[2] * np.exp(-((u - scene.glare[0]) ** 2 + (v - scene.glare[1]) ** 2) / 0.08)
    canvas += (glare * (distance < 0.94))[:, :, None]


def _camera(scene: _Scene, canvas: Plane, x: Plane, y: Plane, rng: Generator) -> NDArray[np.uint8]:
    """Uneven light, then a soft lens, then a noisy sensor: uint8 [size, size, 3]."""
    size = x.shape[0]
    angle = np.deg2rad(scene.light_deg)
    slope = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    lit = canvas * (1.0 - scene.light * (0.5 + slope))[:, :, None]
    picture = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(scene.blur * size)), np.float32)
    noisy = blurred + scene.noise * rng.standard_normal((size, size, 3), np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _draw(rng: Generator, index: int, size_px: int, needle: Needle) -> NDArray[np.uint8]:
    scene = _scene(rng, index, needle)
    line = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    x, y = (plane.astype(np.float32) for plane in np.meshgrid(line, line))
    canvas = _background(scene, x, y)
    _dial(scene, canvas, x, y)
    return _camera(scene, canvas, x, y, rng)


def draw_dial(rng: Generator, size_px: int) -> tuple[NDArray[np.uint8], int]:
    """One picture, uint8 [size_px, size_px, 3], and its class."""
    index = int(rng.integers(len(LABELS)))
    return _draw(rng, index, size_px, FINE), index


def dial_set(count: int, size_px: int, seed: int, needle: Needle = FINE) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """`count` pictures, uint8 [count, size_px, size_px, 3], and their classes, int32 [count], as even as can be.

    Picture i depends on `seed` and i alone: a larger set begins with the smaller one.
    """
    if count < 1 or size_px < SMALLEST_SIZE:
        raise DataError(f"dials are drawn from 1 picture and {SMALLEST_SIZE} px up, not {count} of {size_px} px")
    classes = np.arange(count, dtype=np.int32) % len(LABELS)

    def draw(index: int) -> NDArray[np.uint8]:
        return _draw(np.random.default_rng([seed, index]), int(classes[index]), size_px, needle)

    with ThreadPoolExecutor(cpu_count()) as pool:  # numpy lets go of the interpreter lock in its loops
        return np.stack(list(pool.map(draw, range(count)))), classes


def write_dial_folder(folder: Path, count: int, size_px: int, seed: int) -> None:
    """The same pictures as `dial_set`, as PNG files in a folder for each class. Raises `DataError` if it is not new."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and is not an empty folder")
    images, classes = dial_set(count, size_px, seed)
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
    for number, (image, index) in enumerate(zip(images, classes, strict=True)):
        Image.fromarray(image).save(folder / LABELS[index] / f"dial-{seed}-{number:05d}.png")
