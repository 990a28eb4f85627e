"""Drawn pictures with captions: one or two coloured shapes on a wall, seen by a bad camera.

A caption says what is there by colour, shape, size, place or relation. Some combinations of a colour and a shape
(`UNSEEN`) are left out of the captioned pictures, though each of their colours and shapes is in many: a model that was
trained on these can be asked for combinations that it never saw.
Everything is drawn here, from a seed. Numbers measured on it say how the tools behave, and nothing about the world.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.data.painting import Camera, inside, paint, paint_wall, photograph, pixel_centres
from edgevit.errors import DataError
from edgevit.files import write_text
from edgevit_runtime.resolution import Resolution

__all__ = ["COLOURS", "SHAPES", "UNSEEN", "captioned_picture", "seen_and_unseen", "write_captioned", "write_unseen"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 40),
    "green": (40, 150, 60),
    "blue": (45, 80, 205),
    "yellow": (230, 205, 40),
    "purple": (130, 50, 160),
    "pink": (240, 135, 185),
    "white": (240, 240, 240),
    "black": (25, 25, 25),
}


def _star(u: Any, v: Any) -> Any:
    """Five points; between two of them the edge turns inward to 0.45."""
    fifth = np.pi / 5
    turn = np.abs((np.arctan2(u, -v) + fifth) % (2 * fifth) - fifth)
    radius = np.hypot(u, v)
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    to = np.array([0.45 * np.cos(fifth) - 1.0, 0.45 * np.sin(fifth)])
    return ((x - 1.0) * to[1] - y * to[0]) / np.hypot(*to)


SHAPES: dict[str, Callable[[Any, Any], Any]] = {
    "circle": lambda u, v: np.hypot(u, v) - 0.9,
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) - 0.8,
    "triangle": lambda u, v: np.maximum(0.87 * np.abs(u) - 0.5 * v - 0.5, v - 0.7),
    "diamond": lambda u, v: (0.8 * np.abs(u) + 0.6 * np.abs(v)) - 0.6,
    "cross": lambda u, v: np.minimum(
        np.maximum(np.abs(u) - 0.95, np.abs(v) - 0.3), np.maximum(np.abs(u) - 0.3, np.abs(v) - 0.95)
    ),
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.72) - 0.2,
    "star": _star,
}
"""By name: the distance from the edge, below 0 inside, in a square from -1 to 1; v points down."""

UNSEEN = tuple(
    (colour, tuple(SHAPES)[(3 * index + step) % len(SHAPES)]) for index, colour in enumerate(COLOURS) for step in (2, 4)
)
"""Combinations that no captioned picture has: two of each colour, so that colours alone do not tell them apart."""
PLACES = {
    "upper left": (0.28, 0.28),
    "upper right": (0.72, 0.28),
    "lower left": (0.28, 0.72),
    "lower right": (0.72, 0.72),
}
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
SMALLEST_PX = 32
PAIRS_FILE = "pairs.csv"


@dataclass(frozen=True)
class _Thing:
    colour: str
    shape: str
    centre: tuple[float, float]
    """In shorter sides."""
    radius: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


def seen_and_unseen() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all combinations: those of the captioned pictures, and the others."""
    names = {(colour, shape): f"{colour} {shape}" for colour in COLOURS for shape in SHAPES}
    return tuple(names[each] for each in names if each not in UNSEEN), tuple(names[each] for each in UNSEEN)


def captioned_picture(rng: Generator, size: Resolution) -> tuple[NDArray[np.uint8], str]:
    """uint8 [H, W, 3] and what is on it, of combinations that are not in `UNSEEN`."""
    if rng.random() < 0.4:
        relation = str(rng.choice(list(RELATIONS)))
        across, down = RELATIONS[relation]
        gap = rng.uniform(0.21, 0.26)
        one = _drawn(rng, (0.5 + gap * across, 0.5 + gap * down), (0.14, 0.2))
        other = _drawn(rng, (0.5 - gap * across, 0.5 - gap * down), (0.14, 0.2))
        return _photographed(rng, (one, other), size), f"a {one.name} {relation} a {other.name}"
    form = int(rng.integers(4))
    if form == 0:
        place = str(rng.choice(list(PLACES)))
        thing = _drawn(rng, PLACES[place], (0.15, 0.22))
        caption = f"a {thing.name} in the {place}"
    elif form == 1:
        small = rng.random() < 0.5
        thing = _drawn(rng, (0.5, 0.5), (0.11, 0.17) if small else (0.3, 0.4))
        caption = f"a {'small' if small else 'large'} {thing.name}"
    else:
        thing = _drawn(rng, (0.5, 0.5), (0.15, 0.4))
        caption = f"a {thing.name}" if form == 2 else f"a photo of a {thing.name}"
    return _photographed(rng, (thing,), size), caption


def _drawn(rng: Generator, centre: tuple[float, float], radii: tuple[float, float]) -> _Thing:
    while True:
        colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(list(SHAPES)))
        if (colour, shape) not in UNSEEN:
            return _placed(rng, colour, shape, centre, radii)


def _placed(rng: Generator, colour: str, shape: str, centre: tuple[float, float], radii: tuple[float, float]) -> _Thing:
    x, y = (each + rng.uniform(-0.04, 0.04) for each in centre)
    return _Thing(colour, shape, (x, y), rng.uniform(*radii))


def _photographed(rng: Generator, things: tuple[_Thing, ...], size: Resolution) -> NDArray[np.uint8]:
    x, y = pixel_centres(size.width, size.height)
    grey = rng.uniform(100, 170)
    wall = grey + rng.uniform(-8, 8, 3) + rng.uniform(-20, 20, (4, 4, 1))
    canvas = paint_wall(wall.astype(np.float32), np.zeros((0, 7), np.float32), x, y)
    short = min(size.width, size.height)
    for thing in things:
        turn = np.deg2rad(rng.uniform(-12, 12))
        # Centres are those of a square in the picture's middle.
        across = (x - (size.width / short - 1) / 2 - thing.centre[0]) / thing.radius
        down = (y - (size.height / short - 1) / 2 - thing.centre[1]) / thing.radius
        u, v = across * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - across * np.sin(turn)
        colour = np.clip(np.array(COLOURS[thing.colour]) + rng.uniform(-18, 18, 3), 0, 255).astype(np.float32)
        paint(canvas, inside(SHAPES[thing.shape](u, v), 1.0 / (short * thing.radius)), colour)
    camera = Camera(rng.uniform(0, 360), rng.uniform(0.0, 0.3), blur=rng.uniform(0.0, 0.006), noise=rng.uniform(2, 10))
    return photograph(camera, canvas, x, y, rng)


def write_captioned(folder: Path, count: int, size: Resolution, seed: int) -> None:
    """So many pictures below `pictures/`, and `pairs.csv` with the columns file,text. Raises `DataError`.

    Picture i depends on `seed` and i alone: a larger set begins with the smaller one.
    """
    _check(folder, size)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("file", "text"))
    for number in range(count):
        picture, caption = captioned_picture(np.random.default_rng([seed, number]), size)
        file = f"pictures/shapes-{seed}-{number:05d}.png"
        Image.fromarray(picture).save(folder / file)
        table.writerow((file, caption))
    write_text(folder / PAIRS_FILE, text.getvalue())


def write_unseen(folder: Path, count: int, size: Resolution, seed: int) -> None:
    """So many pictures of one shape each, in class folders of the combinations that no captioned picture has."""
    _check(folder, size)
    for number in range(count):
        colour, shape = UNSEEN[number % len(UNSEEN)]
        rng = np.random.default_rng([seed, number, 1])
        picture = _photographed(rng, (_placed(rng, colour, shape, (0.5, 0.5), (0.15, 0.4)),), size)
        (folder / f"{colour} {shape}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{colour} {shape}" / f"unseen-{seed}-{number:05d}.png")


def _check(folder: Path, size: Resolution) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is there already and is not an empty folder")
    if min(size.width, size.height) < SMALLEST_PX:
        raise DataError(f"shapes are drawn from {SMALLEST_PX} px up, not of {size}")
