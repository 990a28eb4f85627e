"""Where the things of a synthetic control panel sit, how the camera stands to it, and what is true of the picture.

Nothing here knows pixels. Lengths are in shorter sides of the picture, places in it from its upper left corner; one
seed gives one panel at every size, and in a wider or taller picture the same things further apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgevit.data.painting import Camera
from edgevit.data.panel_things import CLASSES, POINTS, Thing, random_thing

__all__ = [
    "Frame",
    "Mount",
    "Panel",
    "Pose",
    "Truth",
    "mapped",
    "mount_matrix",
    "random_gauge_panel",
    "random_panel",
    "truth",
]

Matrix = NDArray[np.float64]
"""A homography: [3, 3]."""

_LARGEST = (0.38, 0.28, 0.24, 0.21, 0.19)
"""The largest radius where there are 1, 2, ... things."""
_SMALLEST = 0.07
_TRIES = 60


class Frame(NamedTuple):
    """The picture's sides, the shorter one being 1."""

    width: float
    height: float


@dataclass(frozen=True)
class Mount:
    """A thing and where it sits."""

    thing: Thing
    place: tuple[float, float]
    """Of its centre in the picture, in shares of the picture's width and height."""
    radius: float
    """As it is seen."""
    turn_deg: float
    """Against the panel."""
    label: NDArray[np.float32]
    """Heights of the strokes that are printed below it, 0..1: [strokes]; none where there are none."""


@dataclass(frozen=True)
class Pose:
    """How the camera stands to the panel."""

    roll_deg: float
    tilt: tuple[float, float]
    """How strongly the left and right, and the upper and lower halves of the picture differ in scale."""
    aspect: float

    def matrix(self, frame: Frame) -> Matrix:
        """From the panel's plane, with the middle of the picture as its origin, to places in the picture."""
        angle = np.deg2rad(self.roll_deg)
        turn = np.array(((np.cos(angle), -np.sin(angle), 0.0), (np.sin(angle), np.cos(angle), 0.0), (0.0, 0.0, 1.0)))
        lean = np.diag((1.0, self.aspect, 1.0))
        lean[2, :2] = self.tilt[0] / frame.width, self.tilt[1] / frame.height
        shift = np.array(((1.0, 0.0, frame.width / 2), (0.0, 1.0, frame.height / 2), (0.0, 0.0, 1.0)))
        matrix: Matrix = shift @ lean @ turn
        return matrix


@dataclass(frozen=True)
class Panel:
    """All that is drawn but the noise."""

    mounts: tuple[Mount, ...]
    """What comes later lies in front."""
    pose: Pose
    margins: tuple[float, float, float, float]
    """How far the plate reaches beyond the things: left, top, right, bottom."""
    plate: NDArray[np.float32]
    """Its colour: [3] in 0..255."""
    brushed: NDArray[np.float32]
    """Streaks of brushed metal in grey levels: [streaks]."""
    seams: tuple[float, ...]
    """Where lines are engraved from top to bottom, in shares of the plate."""
    ink: NDArray[np.float32]
    wall: NDArray[np.float32]
    clutter: NDArray[np.float32]
    """As `paint_wall` has them; the clutter in shares of the picture."""
    glare: tuple[float, float, float, float, float]
    """A reflection: x and y in shares of the picture, its length, its direction in radians, its strength in levels."""
    camera: Camera


@dataclass(frozen=True)
class Truth:
    """What is true of a picture, in shorter sides."""

    boxes: NDArray[np.float64]
    """[things, 4] of xmin, ymin, xmax, ymax: tight around the whole outline, hidden or not, clipped to the picture."""
    classes: NDArray[np.int32]
    points: NDArray[np.float64]
    """[things, points, 3] of x, y and whether it is seen; zeros for things that have none."""


def mapped(matrix: NDArray[Any], points: NDArray[Any]) -> NDArray[np.float64]:
    """Where a homography takes points [..., 2]."""
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    there: NDArray[np.float64] = homogeneous[..., :2] / homogeneous[..., 2:]
    return there


def mount_matrix(mount: Mount, pose: Matrix, frame: Frame) -> Matrix:
    """From a thing's own coordinates to places in the picture."""
    centre = np.array(mount.place) * frame
    x, y = mapped(np.linalg.inv(pose), centre)
    depth = pose[2] @ (x, y, 1.0)
    radius = mount.radius / np.sqrt(np.linalg.det(pose) / depth**3)  # it is `mount.radius` where its centre is seen
    angle = np.deg2rad(mount.turn_deg)
    cosine, sine = radius * np.cos(angle), radius * np.sin(angle)
    matrix: Matrix = pose @ np.array(((cosine, -sine, x), (sine, cosine, y), (0.0, 0.0, 1.0)))
    return matrix


def truth(panel: Panel, frame: Frame) -> Truth:
    """Boxes, classes and points of what the panel holds, from the geometry that it is painted by."""
    pose = panel.pose.matrix(frame)
    matrices = [mount_matrix(mount, pose, frame) for mount in panel.mounts]
    boxes = np.empty((len(matrices), 4))
    points = np.zeros((len(matrices), len(POINTS), 3))
    for number, (mount, matrix) in enumerate(zip(panel.mounts, matrices, strict=True)):
        edge = np.clip(mapped(matrix, mount.thing.outline.edge()), 0.0, frame)
        boxes[number] = (*edge.min(axis=0), *edge.max(axis=0))
        if mount.thing.points is None:
            continue
        points[number, :, :2] = places = mapped(matrix, mount.thing.points)
        seen = np.all((places >= 0.0) & (places < frame), axis=1)
        for front, there in zip(panel.mounts[number + 1 :], matrices[number + 1 :], strict=True):
            across, down = mapped(np.linalg.inv(there), places).T
            seen &= front.thing.outline.signed(across, down) > 0.0
        points[number, :, 2] = seen
    classes = np.array([mount.thing.index for mount in panel.mounts], np.int32)
    return Truth(boxes, classes, points)


def random_panel(rng: Generator) -> Panel:
    """One to five things, each as often of one class as of another."""
    count = int(rng.integers(1, len(_LARGEST) + 1))
    closeness = 0.84 if rng.random() < 0.3 else 1.04  # in three panels of ten things may overlap a little
    mounts: list[Mount] = []
    for _ in range(count):
        thing = random_thing(rng, int(rng.integers(len(CLASSES))))
        radius = float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST[count - 1]))))
        cut = rng.uniform(0.2, 0.8) if rng.random() < 0.12 else None
        placed = _placed(rng, radius, cut, mounts, closeness)
        if placed is not None:
            mounts.append(_mounted(rng, thing, *placed))
    return _panel(rng, tuple(mounts))


def random_gauge_panel(rng: Generator) -> Panel:
    """One gauge, large and wholly in the picture."""
    thing = random_thing(rng, CLASSES.index("gauge"))
    radius = rng.uniform(0.2, 0.4)
    low, high = min(1.25 * radius, 0.5), max(1.0 - 1.25 * radius, 0.5)
    place = (rng.uniform(low, high), rng.uniform(low, high))
    return _panel(rng, (_mounted(rng, thing, place, radius),))


def _placed(
    rng: Generator, radius: float, cut: float | None, others: list[Mount], closeness: float
) -> tuple[tuple[float, float], float] | None:
    """A place that is free and a radius, smaller the longer it took to find one; None where there is none.

    cut: how far from the border, in radii, the centre of a thing is that the border cuts.
    Distances are those of a square picture: in others the things are only further apart.
    """
    for _ in range(_TRIES):
        low = min(1.1 * radius, 0.5)
        place = rng.uniform(low, 1.0 - low, 2)
        if cut is not None:
            side = int(rng.integers(4))
            place[side % 2] = cut * radius if side < 2 else 1.0 - cut * radius
        apart = [np.hypot(*(place - other.place)) / (radius + other.radius) for other in others]
        if all(each >= closeness for each in apart):
            return (float(place[0]), float(place[1])), radius
        radius = max(0.96 * radius, _SMALLEST)
    return None


def _mounted(rng: Generator, thing: Thing, place: tuple[float, float], radius: float) -> Mount:
    strokes = int(rng.integers(4, 14)) if rng.random() < 0.6 else 0
    return Mount(thing, place, radius, rng.uniform(-8, 8), rng.uniform(0.2, 1.0, strokes).astype(np.float32))


def _panel(rng: Generator, mounts: tuple[Mount, ...]) -> Panel:
    """A plate of any paint on any wall, under any camera."""
    pose = Pose(rng.uniform(-18, 18), (rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)), rng.uniform(0.88, 1.12))
    left, top, right, bottom = rng.uniform(0.03, 0.5, 4)
    grey = rng.uniform(60, 215)
    tint = rng.uniform(-30, 30, 3) if rng.random() < 0.5 else rng.uniform(-6, 6, 3)
    brushed = rng.normal(0.0, rng.uniform(3, 9), 160) if rng.random() < 0.5 else np.zeros(1)
    seams = tuple(rng.uniform(0.1, 0.9, rng.integers(0, 3)))
    wall_grey = rng.uniform(50, 190)
    wall = wall_grey + rng.uniform(-14, 14, 3) + rng.uniform(-35, 35, (5, 5, 1))
    clutter = rng.uniform((-0.1, -0.1, 0.02, 0.02, 0, 0, 0), (1.1, 1.1, 0.25, 0.25, 1, 1, 1), (5, 7))
    clutter[:, 4:] = wall_grey + 60 * (2 * clutter[:, 4:5] - 1) + 20 * (2 * clutter[:, 4:] - 1)
    glare_level = rng.uniform(20, 110) if rng.random() < 0.6 else 0.0
    light_deg, light = rng.uniform(0, 360), rng.uniform(0.0, 0.5)
    return Panel(
        mounts=mounts,
        pose=pose,
        margins=(left, top, right, bottom),
        plate=(grey + tint).astype(np.float32),
        brushed=brushed.astype(np.float32),
        seams=seams,
        ink=(rng.uniform(15, 55, 3) if grey > 120 else rng.uniform(185, 230, 3)).astype(np.float32),
        wall=wall.astype(np.float32),
        clutter=clutter.astype(np.float32),
        glare=(*rng.uniform(0.0, 1.0, 2), rng.uniform(0.1, 0.45), rng.uniform(0.0, np.pi), glare_level),
        camera=Camera(light_deg, light, blur=rng.uniform(0.0, 0.006), noise=rng.uniform(2, 11)),
    )
