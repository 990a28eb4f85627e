"""Words on a picture: dark or light on a plate of a colour, whichever reads better, in a size that fits."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import TYPE_CHECKING, Any

from edgevit_runtime.terminal import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

Colour = tuple[int, int, int]

DARK, LIGHT = (0, 0, 0), (255, 255, 255)
FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "arial.ttf", "Arial Unicode.ttf")
"""For other letters than ASCII's, which Pillow's own font lacks: what a machine may have, the most complete first."""
_LONGEST = 200
_SMALLEST = 8
"""Letters less high, in pixels, cannot be read."""


def text_colour(ground: Colour) -> Colour:
    """Black or white, by the contrast that WCAG 2 asks for (https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio): 4.5."""
    return DARK if contrast(DARK, ground) >= contrast(LIGHT, ground) else LIGHT


def contrast(one: Colour, other: Colour) -> float:
    """1 to 21."""
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def draw_plate(picture: Image, text: str, at: tuple[float, float], height: int, ground: Colour) -> tuple[int, int]:
    """Writes a line of text on a plate, into the picture; gives the plate's width and height, (0, 0) if none fits.

    at: x and y of its upper left corner, moved so that the plate lies in the picture.
    height: of the plate, in pixels. What is too long for the picture ends in dots.
    """
    letters, margin = _letters(picture, text, height)
    if letters is None:
        return 0, 0
    width = letters.width + 4 * margin
    left = int(max(0, min(at[0], picture.width - width)))
    top = int(max(0, min(at[1], picture.height - height)))
    picture.paste(ground, (left, top, left + width, top + height))
    picture.paste(text_colour(ground), (left + 2 * margin, top + margin), letters)
    return width, height


def plate_width(picture: Image, text: str, height: int) -> int:
    """How wide the plate would be, in pixels; 0 where none fits."""
    letters, margin = _letters(picture, text, height)
    return 0 if letters is None else letters.width + 4 * margin


def _letters(picture: Image, text: str, height: int) -> tuple[Image | None, int]:
    """The text as a mask for a plate of that height, or None where not a letter fits; and the plate's margin."""
    margin = max(1, height // 8)
    inside, widest = height - 2 * margin, picture.width - 4 * margin
    text = one_line(text)[:_LONGEST]
    kept = len(text) if inside >= _SMALLEST and height <= picture.height else 0
    while kept > 0:
        mask = _written(text if kept == len(text) else f"{text[:kept].rstrip()}...", inside)
        if mask.width <= widest:
            return mask, margin
        kept = min(kept - 1, kept * max(0, widest) // mask.width)
    return None, margin


def _written(text: str, height: int) -> Image:
    from PIL import Image, ImageDraw

    font = _font(text.isascii(), height)
    if hasattr(font, "getmetrics"):
        ascent, descent = font.getmetrics()
        mask = Image.new("L", (max(1, math.ceil(font.getlength(text))), height))
        baseline = (height - ascent - descent) // 2 + ascent
        ImageDraw.Draw(mask).text((0, baseline), text, font=font, fill=255, anchor="ls")
        return mask
    # The font of Pillow before 10.1: Latin letters in one size.
    text = text.encode("latin-1", "replace").decode("latin-1")
    small = Image.new("L", font.getmask(text).size)
    ImageDraw.Draw(small).text((0, 0), text, font=font, fill=255)
    return small.resize((max(1, small.width * height // small.height), height), Image.Resampling.BICUBIC)


@functools.lru_cache(maxsize=16)
def _font(is_ascii: bool, height: int) -> Any:
    """With letters that are, from the highest to the lowest of them, about `height` pixels high."""
    from PIL import ImageFont

    size = max(1, height * 4 // 5)
    for name in () if is_ascii else FONTS:
        with contextlib.suppress(OSError, ImportError):
            return ImageFont.truetype(name, size)
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1
        return ImageFont.load_default()


def _luminance(colour: Colour) -> float:
    red, green, blue = (
        value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
