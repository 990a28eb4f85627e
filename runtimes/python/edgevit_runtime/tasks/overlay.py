"""What was found, drawn over the picture: boxes with their labels, classes as colours that let it through, points.

A class has its colour by its index, in every picture. Lines and letters grow with the picture, so that they look alike
on a thumbnail and on a poster, and stand out on any ground.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.tasks.findings import Box, Keypoint
from edgevit_runtime.tasks.lettering import DARK, LIGHT, Colour, draw_plate, plate_width
from edgevit_runtime.tasks.mask_decoding import NOT_SEEN

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]

STRENGTH = 0.5
"""How much of a class's colour covers the picture."""
LEGIBLE = 12
"""How high a plate must be, in pixels, for its letters to be read."""
STRIP_ROWS = 64
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
_TONES = ((0.85, 0.95), (0.60, 1.00), (1.00, 0.65))
"""Saturation and value of one class, of the next, of the one after."""


def class_colour(index: int) -> Colour:
    """The colour of a class: each a golden part of the circle of hues from the one before, as far as can be from all
    before it, and of another tone than its neighbours."""
    saturation, value = _TONES[index % len(_TONES)]
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_boxes(picture: Image, boxes: Sequence[Box], *, names: bool = True) -> Image:
    """A copy of an RGB picture with boxes, and their labels and scores if wanted; the best lies on top."""
    from PIL import ImageDraw

    drawn = picture.convert("RGB")
    draw, line, letters = ImageDraw.Draw(drawn), _line(drawn), _letters(drawn)
    edge = max(1, line // 3)
    plates = []
    for box in sorted(boxes, key=lambda each: each.score):
        corners = _outermost(drawn, box)
        if corners is None:
            continue
        left, top, right, bottom = corners
        colour = class_colour(box.index)
        # A dark edge on both sides of the line, which shows on a ground of the line's colour.
        _frame(draw, (left - edge, top - edge, right + edge, bottom + edge), line + 2 * edge, DARK)
        _frame(draw, corners, line, colour)
        place = left, top - letters if top >= letters else top + line
        plates.append((f"{box.label} {box.score:.0%}".lstrip(), place, colour))
    for text, place, colour in plates if names else ():  # when all lines are drawn: none goes through a word
        draw_plate(drawn, text, place, letters, colour)
    return drawn


def draw_classes(picture: Image, classes: Array, labels: Sequence[str] = (), hidden: Iterable[int] = ()) -> Image:
    """A copy of an RGB picture with each pixel's class as a colour over it, and what the colours mean.

    classes: uint8 [height, width] of the picture; where it is `NOT_SEEN`, the picture is darker.
    labels: the classes' names; without, their meaning is not written.
    hidden: classes that leave the picture as it is, a background say.
    """
    if classes.shape != (picture.height, picture.width):
        raise EdgeViTError(
            f"a class map of {classes.shape[1]} x {classes.shape[0]} pixels does not fit a picture of "
            f"{picture.width} x {picture.height}"
        )
    from PIL import Image

    hidden = set(hidden)
    pixels = np.array(picture.convert("RGB"))
    colours = np.array([class_colour(index) for index in range(NOT_SEEN)] + [DARK], np.uint16)
    shares = np.array([0 if index in hidden else round(256 * STRENGTH) for index in range(NOT_SEEN + 1)], np.uint16)
    added = (colours * shares[:, None]).astype(np.uint16)
    counts = np.zeros(NOT_SEEN + 1, np.int64)
    for top in range(0, len(pixels), STRIP_ROWS):  # without a copy of the picture in wider numbers
        part, here = pixels[top : top + STRIP_ROWS], classes[top : top + STRIP_ROWS]
        counts += np.bincount(here.reshape(-1), minlength=NOT_SEEN + 1)
        part[:] = (part * (256 - shares)[here][:, :, None] + added[here]) >> 8
    drawn = Image.fromarray(pixels)
    order = np.argsort(-counts[:NOT_SEEN], kind="stable")
    shown = [index for index in order[: np.count_nonzero(counts[:NOT_SEEN])].tolist() if index not in hidden]
    if labels:
        _explain(
            drawn, [(labels[index] if index < len(labels) else str(index), class_colour(index)) for index in shown]
        )
    return drawn


def draw_points(
    picture: Image,
    points: Sequence[Keypoint],
    *,
    names: bool = True,
    skeleton: Iterable[tuple[int, int]] = (),
    least_score: float = 0.0,
) -> Image:
    """A copy of an RGB picture with a dot at each point, the surest on top, and its name beside it if wanted.

    skeleton: lines between points, by their indices. least_score: points that score less are left out.
    """
    from PIL import ImageDraw

    drawn = picture.convert("RGB")
    draw, letters = ImageDraw.Draw(drawn), _letters(drawn)
    radius = max(2, 2 * _line(drawn))
    ring = max(1, radius // 3)
    reach = radius + 2 * ring
    placed = [
        (min(max(point.x, 0.0), drawn.width - 1.0), min(max(point.y, 0.0), drawn.height - 1.0), index)
        for index, point in sorted(enumerate(points), key=lambda each: each[1].score)
        if math.isfinite(point.x) and math.isfinite(point.y) and point.score >= least_score
    ]
    there = {index: (x, y) for x, y, index in placed}
    bones = [(there[one], there[other], other) for one, other in skeleton if one in there and other in there]
    for start, end, index in bones:  # under the dots; a dark edge shows on a ground of the line's colour
        for wide, colour in ((radius + 2 * ring, DARK), (radius, class_colour(index))):
            draw.line((start, end), fill=colour, width=wide)
    for x, y, index in placed if names else ():
        width = plate_width(drawn, points[index].name, letters)
        right = x + reach + 1
        place = right if right + width <= drawn.width else x - reach - width
        draw_plate(drawn, points[index].name, (place, y - letters / 2), letters, class_colour(index))
    for x, y, index in placed:  # no name covers a point
        for size, colour in ((reach, DARK), (radius + ring, LIGHT), (radius, class_colour(index))):
            draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
    return drawn


def _explain(picture: Image, named: Sequence[tuple[str, Colour]]) -> None:
    """One plate below the other, from the upper left corner on, as long as there is room."""
    height = _letters(picture)
    for row, (text, colour) in enumerate(named):
        if (row + 1) * height <= picture.height:
            draw_plate(picture, text, (0, row * height), height, colour)


def _frame(draw: Any, corners: tuple[int, int, int, int], width: int, colour: Colour) -> None:
    left, top, right, bottom = corners
    draw.rectangle((left, top, right, bottom), outline=colour, width=min(width, right - left + 1, bottom - top + 1))


def _outermost(picture: Image, box: Box) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom pixels of a box, in the picture; None where its numbers are none."""
    if not all(map(math.isfinite, (box.xmin, box.ymin, box.xmax, box.ymax, box.score))):
        return None
    last_x, last_y = picture.width - 1, picture.height - 1
    left, top = int(min(max(box.xmin, 0), last_x)), int(min(max(box.ymin, 0), last_y))
    return left, top, int(min(max(box.xmax - 1, left), last_x)), int(min(max(box.ymax - 1, top), last_y))


def _line(picture: Image) -> int:
    """How wide a line is, in pixels."""
    return max(1, round(math.sqrt(picture.width * picture.height) / 250))


def _letters(picture: Image) -> int:
    """How high a plate with letters is, in pixels: never much of the picture, so on the smallest there is none (0)."""
    wanted = max(LEGIBLE, round(math.sqrt(picture.width * picture.height) / 28))
    height = min(wanted, min(picture.size) // 5)
    return height if height >= LEGIBLE else 0
