"""How a synthetic control panel is painted: wall, plate, print, the things on it, and the glare over all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgevit.data.painting import Plane, inside, paint, paint_wall
from edgevit.data.panel_layout import Frame, Panel, mapped, mount_matrix
from edgevit.data.panel_things import Brush, Outline

__all__ = ["paint_panel"]

_REACH = 0.45
"""How far shadows and the shine of lamps reach beyond a thing, in its radii."""
_LABEL = Outline(0.62, 0.12, 0.03)
"""What is printed below a thing: a line of strokes as large as this, in its radii."""
_LABEL_DOWN = 1.3


def paint_panel(panel: Panel, frame: Frame, x: Plane, y: Plane) -> tuple[Plane, NDArray[np.uint8]]:
    """The scene as light comes from it, [height, width, 3] in 0..255, and its mask, uint8 [height, width].

    x, y: as `pixel_centres`. A mask has 0 for the background, and where the centre of a pixel is in an outline 1 + the
    class of what lies in front.
    """
    short = min(x.shape)
    pose = panel.pose.matrix(frame)
    clutter = panel.clutter * np.array((*frame, *frame, 1, 1, 1), np.float32)
    canvas = paint_wall(panel.wall, clutter, x, y)
    matrices = [mount_matrix(mount, pose, frame) for mount in panel.mounts]
    _paint_plate(panel, pose, matrices, canvas, x, y)
    light = np.deg2rad(panel.camera.light_deg)  # the side that is darker: shadows fall that way
    mask = np.zeros(x.shape, np.uint8)
    brushes = []
    for mount, matrix in zip(panel.mounts, matrices, strict=True):
        reach = (_REACH + (_LABEL_DOWN - 1.0 if mount.label.size else 0.0)) * mount.radius * short + 2
        window = _window(mapped(matrix, mount.thing.outline.edge()) * short, reach, x.shape)
        u, v = _seen_from(matrix, x[window], y[window])
        turn = light - np.deg2rad(panel.pose.roll_deg + mount.turn_deg)
        shade = float(np.cos(turn)), float(np.sin(turn))
        brush = Brush(canvas[window], u, v, float(1.0 / (short * mount.radius)), shade)
        brushes.append((window, brush))
        if mount.label.size:
            _paint_label(mount.label, brush, panel.ink)
    for mount, (window, brush) in zip(panel.mounts, brushes, strict=True):
        mount.thing.draw(brush)
        mask[window][mount.thing.outline.signed(brush.u, brush.v) <= 0.0] = mount.thing.index + 1
    _paint_glare(panel, frame, canvas, x, y)
    return canvas, mask


def _seen_from(matrix: NDArray[np.float64], x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Pixels in the coordinates that `matrix` takes to places in the picture."""
    back = np.linalg.inv(matrix)
    back = (back / back[2, 2]).astype(np.float32)
    depth = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    u: Plane = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / depth
    v: Plane = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / depth
    return u, v


def _paint_plate(
    panel: Panel, pose: NDArray[np.float64], matrices: list[NDArray[np.float64]], canvas: Plane, x: Plane, y: Plane
) -> None:
    """The plate reaches beyond all that sits on it, has a bright edge, four screws and a shadow on the wall."""
    pixel = 1.0 / min(x.shape)
    u, v = _seen_from(pose, x, y)
    back = np.linalg.inv(pose)
    edges = np.concatenate(
        [
            mapped(back @ matrix, mount.thing.outline.edge())
            for matrix, mount in zip(matrices, panel.mounts, strict=True)
        ]
    )
    low, high = edges.min(axis=0) - panel.margins[:2], edges.max(axis=0) + panel.margins[2:]
    middle, half = (low + high) / 2, (high - low) / 2
    plate = Outline(float(half[0]), float(half[1]), 0.03)
    u, v = u - np.float32(middle[0]), v - np.float32(middle[1])
    light = np.deg2rad(panel.camera.light_deg - panel.pose.roll_deg)
    fall = 0.03 * np.float32(np.cos(light)), 0.03 * np.float32(np.sin(light))
    canvas *= 1.0 - 0.45 * inside(plate.signed(u - fall[0], v - fall[1]), 0.05)[:, :, None]
    signed = plate.signed(u, v)
    streaks = panel.brushed[((v + 8.0) * 80.0).astype(np.int32) % panel.brushed.size]
    paint(canvas, inside(signed, pixel), panel.plate + streaks[:, :, None])
    paint(canvas, 0.5 * inside(np.abs(signed + 0.012) - 0.006, pixel), np.clip(panel.plate + 45, 0, 255))
    for seam in panel.seams:
        off = np.abs(u - np.float32((2 * seam - 1) * half[0]))
        paint(canvas, 0.7 * inside(np.maximum(off - 0.004, signed), pixel), panel.plate * 0.45)
    for across, down in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        place = middle + (half - 0.045) * (across, down)
        window = _window(mapped(pose, place[None]) / pixel, 0.05 / pixel, x.shape)
        beside, below = u[window] - np.float32(place[0] - middle[0]), v[window] - np.float32(place[1] - middle[1])
        distance = np.hypot(beside, below)
        paint(canvas[window], inside(distance - 0.022, pixel), np.clip(panel.plate * 0.7 + 40, 0, 255))
        paint(canvas[window], inside(np.abs(distance - 0.022) - 0.003, pixel), panel.plate * 0.4)
        slot = np.maximum(np.abs(beside + across * down * below) - 0.006, distance - 0.018)
        paint(canvas[window], inside(slot, pixel), panel.plate * 0.3)


def _window(points_px: NDArray[np.float64], reach_px: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns about points [points, 2] of x and y, as far as they are in a picture of `shape`."""
    left, top = np.clip(np.floor(points_px.min(axis=0) - reach_px), 0, shape[::-1]).astype(int)
    right, bottom = np.clip(np.ceil(points_px.max(axis=0) + reach_px), 0, shape[::-1]).astype(int)
    return slice(top, bottom), slice(left, right)


def _paint_label(label: NDArray[np.float32], brush: Brush, ink: NDArray[np.float32]) -> None:
    """Strokes in a row below a thing, as writing looks from afar."""
    place = (brush.u / np.float32(2 * _LABEL.half_width) + 0.5) * label.size
    stroke = np.clip(place.astype(np.int32), 0, label.size - 1)
    off = np.abs(place - stroke - 0.5) * np.float32(2 * _LABEL.half_width / label.size)
    tall = np.abs(brush.v - _LABEL_DOWN) - _LABEL.half_height * label[stroke]
    brush.fill(np.maximum(off - 0.3 * 2 * _LABEL.half_width / label.size, tall), ink)


def _paint_glare(panel: Panel, frame: Frame, canvas: Plane, x: Plane, y: Plane) -> None:
    """A long soft reflection of a window or a tube."""
    across, down, length, direction, level = panel.glare
    if level == 0.0:
        return
    dx, dy = x - np.float32(across * frame.width), y - np.float32(down * frame.height)
    along = dx * np.float32(np.cos(direction)) + dy * np.float32(np.sin(direction))
    beside = dy * np.float32(np.cos(direction)) - dx * np.float32(np.sin(direction))
    canvas += (level * np.exp(-((along / length) ** 2) - (beside / 0.08) ** 2))[:, :, None].astype(np.float32)
