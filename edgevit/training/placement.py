"""How a training picture is varied together with what is marked in it: size, place, mirror image, light.

A picture keeps its shape, as `letterbox` keeps it, but for a little stretching: what is marked in it stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.errors import unknown_key
from edgevit_runtime.resolution import Resolution


@dataclass(frozen=True)
class Jitter:
    """What a placement is drawn from."""

    scale: tuple[float, float]
    """How large the picture becomes, where 1 just fits into the resolution; drawn evenly by its logarithm."""
    stretch: float
    """Its sides differ by up to this share."""
    mirror: bool
    contrast: float
    brightness: float
    """Pixels become (1 ± contrast) * pixel ± brightness, in grey levels."""
    source: str


JITTERS: dict[str, Jitter] = {
    "none": Jitter((1.0, 1.0), 0.0, False, 0.0, 0.0, "pictures as they are"),
    "shift": Jitter((0.85, 1.2), 0.03, False, 0.2, 15.0, "for what may not be mirrored: gauges, text, signs"),
    "photo": Jitter(
        (0.6, 1.8), 0.1, True, 0.2, 15.0, "scale jitter and flip, Ghiasi et al. 2021, https://arxiv.org/abs/2012.07177"
    ),
}
"""By the names of `edgevit.training.augmentation`."""


def get_jitter(name: str) -> Jitter:
    """The named one. Raises `ConfigError` that lists the names."""
    if name not in JITTERS:
        raise unknown_key("augmentation", name, JITTERS)
    return JITTERS[name]


@dataclass(frozen=True)
class Placement:
    """Where a picture's corners come to lie in W x H pixels: (left, top) to (left + width, top + height).

    What lies beyond is cut off; what nothing covers is the fill colour, and in a mask ignored.
    """

    left: int
    top: int
    width: int
    height: int
    mirror: bool = False
    gain: float = 1.0
    offset: float = 0.0


def draw_placement(
    jitter: Jitter,
    random: Generator,
    size: tuple[int, int],
    resolution: Resolution,
    fit_to: Resolution | None = None,
) -> Placement:
    """size: (width, height) of the picture. fit_to: what a scale of 1 fits into, where that is not the resolution."""
    fitted = fit_to or resolution
    fitting = min(fitted.width / size[0], fitted.height / size[1])
    scale = fitting * np.exp(random.uniform(*np.log(jitter.scale)))
    stretch = np.exp(0.5 * random.uniform(-jitter.stretch, jitter.stretch))
    width, height = max(1, round(size[0] * scale * stretch)), max(1, round(size[1] * scale / stretch))
    # Anywhere inside where it is smaller; anywhere that leaves no edge free where it is larger.
    left, top = (
        round(random.uniform(min(0, free), max(0, free)))
        for free in (resolution.width - width, resolution.height - height)
    )
    mirror = bool(random.random() < 0.5) and jitter.mirror
    gain = random.uniform(1.0 - jitter.contrast, 1.0 + jitter.contrast)
    return Placement(left, top, width, height, mirror, gain, random.uniform(-1.0, 1.0) * jitter.brightness)


def place(
    picture: Image.Image, placed: Placement, resolution: Resolution, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """An RGB picture: uint8 [H, W, 3]."""
    pixels = np.asarray(_placed(picture, placed, resolution, Image.Resampling.BICUBIC, fill))
    light = np.clip(np.arange(256) * placed.gain + placed.offset, 0, 255).astype(np.uint8)
    lit: NDArray[np.uint8] = light[pixels]
    return lit


def place_mask(mask: Image.Image, placed: Placement, resolution: Resolution, ignored: int) -> NDArray[np.uint8]:
    """A mask, one byte a pixel: uint8 [H, W]."""
    return np.asarray(_placed(mask, placed, resolution, Image.Resampling.NEAREST, ignored))


def _placed(
    picture: Image.Image,
    placed: Placement,
    resolution: Resolution,
    how: Image.Resampling,
    ground: int | tuple[int, ...],
) -> Image.Image:
    """Only what can be seen is resized."""
    left, top = max(0, placed.left), max(0, placed.top)
    right = min(resolution.width, placed.left + placed.width)
    bottom = min(resolution.height, placed.top + placed.height)
    across, down = picture.width / placed.width, picture.height / placed.height
    box = (
        (left - placed.left) * across,
        (top - placed.top) * down,
        min(picture.width, (right - placed.left) * across),
        min(picture.height, (bottom - placed.top) * down),
    )
    canvas = Image.new(picture.mode, (resolution.width, resolution.height), ground)
    canvas.paste(picture.resize((right - left, bottom - top), how, box=box), (left, top))
    return canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if placed.mirror else canvas
