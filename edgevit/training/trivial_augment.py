"""TrivialAugment: one operation a picture, drawn evenly, at an evenly drawn strength.

Müller and Hutter 2021 (https://arxiv.org/abs/2103.10158), the standard (not the wide) ranges, from Pillow's operations.
Keras's own RandAugment draws one operation for a whole batch and computes all of them to pick it, in the training
step; this draws for each picture and computes one, in the threads that read pictures.
"""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)

Operation = Callable[[Image.Image, float], Image.Image]
"""Takes a strength in -1..1."""


def _shift(picture: Image.Image, matrix: tuple[float, float, float, float, float, float]) -> Image.Image:
    return picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR, fillcolor=GREY
    )


COLOUR: dict[str, Operation] = {
    "identity": lambda picture, _: picture,
    "brightness": lambda picture, s: ImageEnhance.Brightness(picture).enhance(1.0 + 0.9 * s),
    "colour": lambda picture, s: ImageEnhance.Color(picture).enhance(1.0 + 0.9 * s),
    "contrast": lambda picture, s: ImageEnhance.Contrast(picture).enhance(1.0 + 0.9 * s),
    "sharpness": lambda picture, s: ImageEnhance.Sharpness(picture).enhance(1.0 + 0.9 * s),
    "posterize": lambda picture, s: ImageOps.posterize(picture, 8 - round(4 * abs(s))),
    "solarize": lambda picture, s: ImageOps.solarize(picture, 256 - round(256 * abs(s))),
    "autocontrast": lambda picture, _: ImageOps.autocontrast(picture),
    "equalize": lambda picture, _: ImageOps.equalize(picture),
}
"""Those that leave everything where it is: safe for gauges, text and signs. Table 5 of the paper."""

GEOMETRIC: dict[str, Operation] = {
    "rotate": lambda picture, s: picture.rotate(30.0 * s, resample=Image.Resampling.BILINEAR, fillcolor=GREY),
    "shear_x": lambda picture, s: _shift(picture, (1.0, 0.3 * s, -0.15 * s * picture.height, 0.0, 1.0, 0.0)),
    "shear_y": lambda picture, s: _shift(picture, (1.0, 0.0, 0.0, 0.3 * s, 1.0, -0.15 * s * picture.width)),
    "translate_x": lambda picture, s: _shift(picture, (1.0, 0.0, 0.14 * s * picture.width, 0.0, 1.0, 0.0)),
    "translate_y": lambda picture, s: _shift(picture, (1.0, 0.0, 0.0, 0.0, 1.0, 0.14 * s * picture.height)),
}
"""Those that move things; 0.14 is the paper's 32 of 224 pixels, for any resolution."""


def operations(*, geometric: bool) -> dict[str, Operation]:
    """The operations to draw from."""
    return {**COLOUR, **GEOMETRIC} if geometric else COLOUR


def draw_operation(random: Generator, *, geometric: bool) -> tuple[str, float]:
    """An operation's name and its strength, -1..1."""
    names = list(operations(geometric=geometric))
    return names[int(random.integers(len(names)))], float(random.uniform(-1.0, 1.0))


def apply_operation(picture: Image.Image, name: str, strength: float) -> Image.Image:
    """The picture, RGB, after the named operation; its size does not change."""
    return operations(geometric=True)[name](picture, strength)
