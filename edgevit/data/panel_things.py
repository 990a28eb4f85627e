"""What sits on a synthetic control panel: gauges, switches, lamps and buttons; their outlines and how they are painted.

Each has its own coordinates: u to the right and v down, and its outline fits into the circle of radius 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgevit.data.gauge_face import NEEDLE_TIP, SWEEP_DEG, GaugeFace, Needle, needle_turn, paint_gauge
from edgevit.data.painting import Plane, inside, paint

__all__ = ["CLASSES", "DISC", "POINTS", "Brush", "Outline", "Thing", "random_thing"]

CLASSES = ("gauge", "switch", "lamp", "button")
"""By class index; a mask has 0 for what is behind them and index + 1 for each."""
POINTS = ("tip", "centre")
"""Of a gauge: where its needle ends, and what it turns about."""

Rgb = NDArray[np.float32]
"""A colour in 0..255: [3]."""


@dataclass(frozen=True)
class Outline:
    """A rectangle with round corners about the centre; where the corner is as wide as its halves, a circle."""

    half_width: float
    half_height: float
    corner: float

    def signed(self, u: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
        """The distance from the edge, below 0 inside: floats of the shape and kind of `u` and `v`."""
        across = np.abs(u) - (self.half_width - self.corner)
        down = np.abs(v) - (self.half_height - self.corner)
        outer = np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0))
        distance: NDArray[Any] = outer + np.minimum(np.maximum(across, down), 0.0) - self.corner
        return distance

    def edge(self) -> NDArray[np.float64]:
        """Points all along the edge, the extreme ones among them: [256, 2]."""
        straight = np.array((self.half_width - self.corner, self.half_height - self.corner))
        placed: NDArray[np.float64] = self.corner * _AROUND + straight * np.sign(_AROUND)
        return placed


_ANGLES = 2 * np.pi * np.arange(256) / 256
_AROUND = np.round(np.stack((np.cos(_ANGLES), np.sin(_ANGLES)), axis=-1), 12)
"""Points on the circle of radius 1."""

DISC = Outline(1.0, 1.0, 1.0)
_SQUARE = Outline(0.74, 0.74, 0.14)
_UPRIGHT = Outline(0.58, 0.82, 0.12)


@dataclass(frozen=True)
class Brush:
    """Where a thing is painted: a part of the picture, seen from the thing."""

    canvas: Plane
    """[height, width, 3] in 0..255, painted over."""
    u: Plane
    v: Plane
    """Every pixel in the thing's coordinates: [height, width]."""
    pixel: float
    """A pixel's side in the thing's radii."""
    shade: tuple[float, float]
    """The direction that shadows fall in, of length 1."""

    def fill(self, signed: NDArray[Any], colour: Rgb) -> None:
        """Lays `colour` [3], or [height, width, 3], where `signed` [height, width] is below 0."""
        paint(self.canvas, inside(signed, self.pixel), colour)

    def darken(self, cover: Plane) -> None:
        """Takes half of the light where `cover` [height, width] is 1."""
        self.canvas[...] *= 1.0 - 0.5 * cover[:, :, None]

    def shine(self, level: NDArray[Any]) -> None:
        """Adds grey levels: [height, width], or [height, width, 3]."""
        self.canvas[...] += level if level.ndim == 3 else level[:, :, None]

    def shadow(self, outline: Outline, length: float, softness: float = 0.22) -> None:
        """What a thing of that outline, `length` radii high, darkens on the plate."""
        signed = outline.signed(self.u - length * self.shade[0], self.v - length * self.shade[1])
        self.darken(inside(signed, softness))

    def slope(self) -> Plane:
        """From 1 at the lit end of the thing to -1 at the other: [height, width]."""
        return -(self.u * np.float32(self.shade[0]) + self.v * np.float32(self.shade[1]))

    def shaded(self, colour: Rgb, shade: NDArray[Any]) -> Plane:
        """A colour [3] as many times brighter as `shade` [height, width] says: [height, width, 3]."""
        lit: Plane = np.clip(colour * shade[:, :, None], 0.0, 255.0)
        return lit


@dataclass(frozen=True)
class Thing:
    """One thing as it looks, wherever it sits."""

    index: int
    """Its class."""
    outline: Outline
    draw: Callable[[Brush], None]
    points: NDArray[np.float64] | None = None
    """Of a gauge, [points, 2] in the order of `POINTS`, in its own coordinates."""


def _grey(rng: Generator, low: float, high: float, tint: float = 6.0) -> Rgb:
    return (rng.uniform(low, high) + rng.uniform(-tint, tint, 3)).astype(np.float32)


def _vivid(rng: Generator, *colours: tuple[int, int, int]) -> Rgb:
    """One of these, a little off: no two batches of paint are alike."""
    chosen = np.array(colours[rng.integers(len(colours))])
    return np.clip(chosen * rng.uniform(0.8, 1.1) + rng.uniform(-14, 14, 3), 0, 255).astype(np.float32)


RED, GREEN, BLUE, AMBER = (205, 35, 30), (40, 150, 65), (40, 85, 180), (235, 160, 25)
WHITE, BLACK, YELLOW = (225, 225, 218), (42, 42, 45), (225, 200, 40)


def _rim(rng: Generator) -> Rgb:
    """What frames are made of: black plastic, or metal."""
    return _grey(rng, 25, 65) if rng.random() < 0.5 else _grey(rng, 125, 185)


# --- gauge -----------------------------------------------------------------------------------------------------------

_NEEDLE = Needle(hub=0.075, tip=0.035, margin=0.0)
"""Wider than a dial's: a gauge on a panel is small."""
_GLASS = 0.9
"""How large a gauge's face is inside its bezel."""


def _gauge(rng: Generator) -> Thing:
    dark = rng.random() < 0.3
    face, ink = (_grey(rng, 25, 60), _grey(rng, 190, 235)) if dark else (_grey(rng, 195, 245), _grey(rng, 15, 55))
    needle = _vivid(rng, AMBER, WHITE, YELLOW, (235, 80, 50)) if dark else _vivid(rng, RED, RED, BLACK, (200, 90, 20))
    bezel = _rim(rng)
    needle_deg = rng.uniform(0.0, SWEEP_DEG)
    glare = (rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.6), rng.uniform(0, 50))
    gauge = GaugeFace(needle_deg, _NEEDLE, face, ink, needle, glare)

    def draw(brush: Brush) -> None:
        brush.shadow(DISC, 0.14)
        brush.fill(np.hypot(brush.u, brush.v) - 1.0, brush.shaded(bezel, 1.0 + 0.35 * brush.slope()))
        paint_gauge(gauge, brush.canvas, brush.u / _GLASS, brush.v / _GLASS, brush.pixel / _GLASS)

    turn = needle_turn(needle_deg)
    tip = NEEDLE_TIP * _GLASS * np.array((np.cos(turn), np.sin(turn)))
    return Thing(CLASSES.index("gauge"), DISC, draw, points=np.stack((tip, np.zeros(2))))


# --- switch ----------------------------------------------------------------------------------------------------------


def _switch(rng: Generator) -> Thing:
    side = 1.0 if rng.random() < 0.5 else -1.0  # down, up
    base = _grey(rng, 25, 60) if rng.random() < 0.4 else _grey(rng, 140, 225)
    ink = _grey(rng, 180, 230) if base.mean() < 100 else _grey(rng, 20, 60)
    nut, lever = _grey(rng, 120, 175), _grey(rng, 165, 225)
    cap = _vivid(rng, RED, BLACK, WHITE) if rng.random() < 0.4 else lever

    def draw(brush: Brush) -> None:
        u, v, shade = brush.u, brush.v, brush.shade
        brush.shadow(_UPRIGHT, 0.08)
        plate = _UPRIGHT.signed(u, v)
        brush.fill(plate, brush.shaded(base, 1.0 + 0.12 * brush.slope()))
        brush.fill(np.abs(plate + 0.07) - 0.012, ink)
        # What its two positions are called: I and O.
        brush.fill(Outline(0.02, 0.07, 0.01).signed(u - 0.38, v + 0.6), ink)
        brush.fill(np.abs(np.hypot(u - 0.38, v - 0.6) - 0.06) - 0.02, ink)
        hub = np.hypot(u, v)
        brush.fill(hub - 0.36, brush.shaded(nut, 1.0 + 0.8 * brush.slope()))
        brush.fill(hub - 0.25, nut * 0.3)
        along = np.clip(side * v / 0.56, 0.0, 1.0)

        def bar(du: float, dv: float) -> Plane:
            """A lever that grows wider towards its end."""
            share = np.clip(side * (v - dv) / 0.56, 0.0, 1.0)
            signed: Plane = np.hypot(u - du, v - dv - side * 0.56 * share) - (0.12 + 0.08 * share)
            return signed

        brush.darken(inside(bar(0.16 * shade[0], 0.16 * shade[1]), 0.12))
        rounded = 1.0 - 0.6 * (u / 0.2 - 0.4 * np.float32(-shade[0])) ** 2
        brush.fill(bar(0.0, 0.0), brush.shaded(lever, np.clip(rounded, 0.4, 1.15)))
        brush.fill(np.maximum(bar(0.0, 0.0), 0.62 - along), brush.shaded(cap, np.clip(rounded + 0.1, 0.45, 1.2)))

    return Thing(CLASSES.index("switch"), _UPRIGHT, draw)


# --- lamp ------------------------------------------------------------------------------------------------------------


def _lamp(rng: Generator) -> Thing:
    lit = rng.random() < 0.5
    colour = _vivid(rng, RED, GREEN, AMBER, BLUE, WHITE)
    bezel, ribs = _rim(rng), rng.uniform(0.0, 0.16)
    halo = rng.uniform(0.25, 0.6)

    def draw(brush: Brush) -> None:
        u, v, shade = brush.u, brush.v, brush.shade
        distance = np.hypot(u, v)
        brush.shadow(DISC, 0.16)
        if lit:  # it shines on the plate about it
            glow = halo * np.exp(-np.maximum(distance - 1.0, 0.0) / 0.25)
            brush.shine(glow[:, :, None] * np.clip(colour * 1.1 + 30, 0, 255) * 0.6)
        brush.fill(distance - 1.0, brush.shaded(bezel, 1.0 + 0.5 * brush.slope()))
        brush.fill(distance - 0.8, bezel * 0.35)
        rings = 1.0 + ribs * np.cos(distance * (2 * np.pi / 0.19)) * np.clip(1.0 - brush.pixel / 0.15, 0.0, 1.0)
        if lit:
            core = np.exp(-(distance**2) / 0.22)[:, :, None]
            lens = np.clip((colour * 1.25 + 25) * rings[:, :, None], 0, 255) * (1.0 - core) + 252 * core
        else:
            lens = brush.shaded(colour * 0.42, (1.0 - 0.45 * distance**2 + 0.25 * brush.slope()) * rings + 0.15)
        brush.fill(distance - 0.74, lens)
        spot = np.exp(-((u + 0.32 * shade[0]) ** 2 + (v + 0.32 * shade[1]) ** 2) / 0.02)
        brush.shine(110 * spot * (distance < 0.74))

    return Thing(CLASSES.index("lamp"), DISC, draw)


# --- button ----------------------------------------------------------------------------------------------------------


def _button(rng: Generator) -> Thing:
    return _mushroom(rng) if rng.random() < 0.45 else _square(rng)


def _mushroom(rng: Generator) -> Thing:
    cap = _vivid(rng, RED, RED, RED, YELLOW, GREEN, BLACK, BLUE)
    print_ = _grey(rng, 195, 235) if rng.random() < 0.5 else None

    def draw(brush: Brush) -> None:
        distance = np.hypot(brush.u, brush.v)
        brush.shadow(DISC, 0.3, softness=0.35)
        dome = 0.55 + 0.45 * np.sqrt(np.clip(1.0 - distance**2, 0.0, 1.0)) + 0.3 * brush.slope()
        brush.fill(distance - 1.0, brush.shaded(cap, dome))
        brush.fill(np.abs(distance - 0.62) - 0.025, brush.shaded(cap, dome * 0.7))
        if print_ is not None:  # the arrows that say which way to turn it
            bow = np.maximum(np.abs(distance - 0.4) - 0.045, 0.14 - np.abs(brush.v))
            brush.fill(bow, print_)
        shade = brush.shade
        gloss = np.exp(-((brush.u + 0.45 * shade[0]) ** 2 + (brush.v + 0.45 * shade[1]) ** 2) / 0.12)
        brush.shine(45 * gloss * (distance < 1.0))

    return Thing(CLASSES.index("button"), DISC, draw)


def _square(rng: Generator) -> Thing:
    cap = _vivid(rng, RED, GREEN, BLACK, WHITE, YELLOW, BLUE, (120, 122, 125))
    bezel = _rim(rng)
    ink = _grey(rng, 20, 50) if cap.mean() > 130 else _grey(rng, 205, 240)
    sign = int(rng.integers(4))  # I, O, a square, nothing

    def draw(brush: Brush) -> None:
        u, v = brush.u, brush.v
        brush.shadow(_SQUARE, 0.1)
        brush.fill(_SQUARE.signed(u, v), brush.shaded(bezel, 1.0 + 0.3 * brush.slope()))
        brush.fill(Outline(0.62, 0.62, 0.1).signed(u, v), bezel * 0.35)
        # The cap's edges slope: those towards the light are brighter than its top, the others darker.
        sideways = np.abs(u) > np.abs(v)
        facing = -np.where(sideways, np.sign(u) * brush.shade[0], np.sign(v) * brush.shade[1]).astype(np.float32)
        brush.fill(Outline(0.57, 0.57, 0.08).signed(u, v), brush.shaded(cap, 0.9 + 0.4 * facing) + 8)
        brush.fill(Outline(0.44, 0.44, 0.06).signed(u, v), brush.shaded(cap, 1.0 + 0.1 * brush.slope()))
        marks = (Outline(0.04, 0.2, 0.01).signed(u, v), np.abs(np.hypot(u, v) - 0.18) - 0.04)
        if sign < 2:
            brush.fill(marks[sign], ink)
        elif sign == 2:
            brush.fill(Outline(0.16, 0.16, 0.01).signed(u, v), ink)

    return Thing(CLASSES.index("button"), _SQUARE, draw)


_KINDS: dict[str, Callable[[Generator], Thing]] = {
    "gauge": _gauge,
    "switch": _switch,
    "lamp": _lamp,
    "button": _button,
}


def random_thing(rng: Generator, index: int) -> Thing:
    """A thing of class `index`, of any colours and in any state."""
    return _KINDS[CLASSES[index]](rng)
