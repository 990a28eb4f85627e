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
from PIL import Image

from edgevit.data.gauge_face import SWEEP_DEG, GaugeFace, Needle, paint_gauge
from edgevit.data.painting import Camera, Plane, paint_wall, photograph, pixel_centres
from edgevit.errors import DataError

__all__ = ["COARSE", "FINE", "LABELS", "SMALLEST_SIZE", "Needle", "dial_set", "draw_dial", "write_dial_folder"]

LABELS = tuple(f"reading {10 * index}-{10 * index + 10}" for index in range(10))
"""What the needle points at, on a scale of 0 to 100."""

SMALLEST_SIZE = 16
RANGE_DEG = SWEEP_DEG / len(LABELS)

FINE = Needle(hub=0.050, tip=0.018, margin=0.05)
COARSE = Needle(hub=0.060, tip=0.025, margin=0.1)
"""Easier to read: as all dials were until the golden artefact had been trained on them."""


@dataclass(frozen=True)
class _Scene:
    """All that is drawn, in units that know no pixels: one seed gives one scene at every size."""

    gauge: GaugeFace
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
    camera: Camera


def _scene(rng: Generator, index: int, needle: Needle) -> _Scene:
    """Every number comes from `rng` in one order, which pictures that are out there stand on: do not change it."""
    needle_deg = RANGE_DEG * (index + rng.uniform(needle.margin, 1.0 - needle.margin))
    face = rng.uniform(180, 245) + rng.uniform(-14, 14, 3)
    ink = rng.uniform(10, 50) + rng.uniform(-10, 10, 3)
    needle_colour = np.array((rng.uniform(150, 220), rng.uniform(10, 60), rng.uniform(10, 50)))
    grey = rng.uniform(70, 170)
    boxes = rng.uniform((-0.1, -0.1, 0.02, 0.02, 0, 0, 0), (1.1, 1.1, 0.2, 0.2, 1, 1, 1), (4, 7))
    boxes[:, 4:] = grey + 50 * (2 * boxes[:, 4:5] - 1) + 12 * (2 * boxes[:, 4:] - 1)
    centre = (0.5 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.04, 0.04))
    radius = rng.uniform(0.42, 0.47)
    roll_deg = rng.uniform(-3, 3)
    tilt = (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1))
    aspect = rng.uniform(0.94, 1.06)
    wall = grey + rng.uniform(-10, 10, 3) + rng.uniform(-25, 25, (5, 5, 1))
    light_deg, light = rng.uniform(0, 360), rng.uniform(0.0, 0.3)
    glare = (rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8), rng.uniform(0, 60))
    camera = Camera(light_deg, light, blur=rng.uniform(0.0, 0.006), noise=rng.uniform(2, 10))
    colours = (face.astype(np.float32), ink.astype(np.float32), needle_colour.astype(np.float32))
    return _Scene(
        gauge=GaugeFace(needle_deg, needle, *colours, glare),
        centre=centre,
        radius=radius,
        roll_deg=roll_deg,
        tilt=tilt,
        aspect=aspect,
        wall=wall.astype(np.float32),
        boxes=boxes.astype(np.float32),
        camera=camera,
    )


def _dial(scene: _Scene, canvas: Plane, x: Plane, y: Plane) -> None:
    """Draws the gauge onto `canvas` [size, size, 3]; `x` and `y` [size, size] are in picture widths."""
    across, down = (x - scene.centre[0]) / scene.radius, (y - scene.centre[1]) / scene.radius * scene.aspect
    depth = 1.0 + scene.tilt[0] * across + scene.tilt[1] * down
    across, down = across / depth, down / depth
    pixel = float(1.0 / (x.shape[0] * scene.radius))
    turn = np.deg2rad(scene.roll_deg)
    u = (across * np.cos(turn) + down * np.sin(turn)).astype(np.float32)
    v = (down * np.cos(turn) - across * np.sin(turn)).astype(np.float32)
    paint_gauge(scene.gauge, canvas, u, v, pixel)


def _draw(rng: Generator, index: int, size_px: int, needle: Needle) -> NDArray[np.uint8]:
    scene = _scene(rng, index, needle)
    x, y = pixel_centres(size_px, size_px)
    canvas = paint_wall(scene.wall, scene.boxes, x, y)
    _dial(scene, canvas, x, y)
    return photograph(scene.camera, canvas, x, y, rng)


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
