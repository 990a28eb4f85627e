"""The face of a round gauge: rim, scale, needle and hub, in units of its radius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevit.data.painting import Plane, paint, stroke

__all__ = ["NEEDLE_TIP", "SWEEP_DEG", "GaugeFace", "Needle", "needle_turn", "paint_gauge"]

SWEEP_DEG = 270.0
"""From reading 0, lower left, clockwise over the top to reading 100, lower right: as most gauges have it."""
NEEDLE_TIP = 0.82
"""Where a needle ends, in radii from the centre."""
_RANGES = 10
_RANGE_DEG = SWEEP_DEG / _RANGES


@dataclass(frozen=True)
class Needle:
    """How fine a needle is, and how close to the lines between ranges it stands: what reading it takes."""

    hub: float
    """Half its width at the hub, in dial radii; it grows thinner towards the tip."""
    tip: float
    """Half its width at the tip, at least."""
    margin: float
    """The share of a range, on either side, where no needle stands: one on the line belongs to neither range."""


@dataclass(frozen=True)
class GaugeFace:
    """What a gauge shows and what it looks like."""

    needle_deg: float
    """Where the needle points: 0 is the scale's begin, `SWEEP_DEG` its end."""
    needle: Needle
    face: NDArray[np.float32]
    ink: NDArray[np.float32]
    needle_colour: NDArray[np.float32]
    """Colours of the face, of what is printed on it, and of the needle: [3] in 0..255."""
    glare: tuple[float, float, float]
    """A reflection: x and y in radii, and its strength in grey levels."""


def needle_turn(needle_deg: float) -> float:
    """The needle's direction in radians, clockwise from the right."""
    return float(np.deg2rad(135.0 + needle_deg))


def paint_gauge(gauge: GaugeFace, canvas: Plane, u: Plane, v: Plane, pixel: float) -> None:
    """Draws the gauge onto `canvas` [height, width, 3].

    u, v: [height, width], right and down from the gauge's centre, in its radii; pixel: the side of one, in radii.
    """
    distance = np.hypot(u, v)
    paint(canvas, stroke(distance, 1.0, pixel), gauge.ink)
    paint(canvas, stroke(distance, 0.94, pixel), gauge.face)

    # Ticks: readings clockwise in degrees from lower left, so that the scale starts at 0 and ends at SWEEP_DEG.
    reading = np.rad2deg(np.arctan2(v, u)).astype(np.float32)
    reading = np.mod(reading - 135.0, 360.0)
    on_scale = (reading <= SWEEP_DEG + 3.0) | (reading >= 357.0)
    for step, inner, half_width in ((_RANGE_DEG, 0.72, 0.016), (_RANGE_DEG / 5, 0.82, 0.007)):
        off = np.abs(np.mod(reading + step / 2, step) - step / 2)
        tick = stroke(distance * np.sin(np.deg2rad(off)), half_width, pixel)
        between = stroke(distance - (inner + 0.9) / 2, (0.9 - inner) / 2, pixel)
        paint(canvas, tick * on_scale * between, gauge.ink)

    # The needle: tapered towards its tip, with a short tail and a hub.
    angle = needle_turn(gauge.needle_deg)
    along = u * np.cos(angle) + v * np.sin(angle)
    beside = v * np.cos(angle) - u * np.sin(angle)
    taper = np.clip(gauge.needle.hub - 0.035 * along, gauge.needle.tip, gauge.needle.hub).astype(np.float32)
    paint(canvas, stroke(beside, taper, pixel) * stroke(along - 0.30, NEEDLE_TIP - 0.30, pixel), gauge.needle_colour)
    paint(canvas, stroke(distance, 0.08, pixel), gauge.ink)

    glare = gauge.glare[2] * np.exp(-((u - gauge.glare[0]) ** 2 + (v - gauge.glare[1]) ** 2) / 0.08)
    canvas += (glare * (distance < 0.94))[:, :, None]
