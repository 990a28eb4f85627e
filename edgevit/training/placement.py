"""How a training picture is varied together with what is marked in it: size, place, turn, mirror image, light.

A picture keeps its shape, as `letterbox` keeps it, but for a little stretching: what is marked in it stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    turn_deg: float = 0.0
    """It is turned by up to so much either way."""


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

    Then it is turned about the middle of the W x H pixels, counter-clockwise, and mirrored. What lies beyond is cut
    off; what nothing covers is the fill colour, and in a mask ignored.
    """

    left: int
    top: int
    width: int
    height: int
    mirror: bool = False
    gain: float = 1.0
    offset: float = 0.0
    turned_deg: float = 0.0


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
    offset = random.uniform(-1.0, 1.0) * jitter.brightness
    turned = random.uniform(-jitter.turn_deg, jitter.turn_deg) if jitter.turn_deg else 0.0
    return Placement(left, top, width, height, mirror, gain, offset, turned)


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


def place_points(
    points: NDArray[np.floating], size: tuple[int, int], placed: Placement, resolution: Resolution
) -> NDArray[np.float64]:
    """Points [..., 2], x and y, of a picture of `size` (width, height): where they come to lie."""
    found = np.asarray(points, np.float64) * (placed.width, placed.height) / size + (placed.left, placed.top)
    middle = np.array([resolution.width, resolution.height]) / 2
    across, down = np.moveaxis(found - middle, -1, 0)
    cosine, sine = _turn(placed)
    found = np.stack([cosine * across + sine * down, cosine * down - sine * across], axis=-1) + middle
    if placed.mirror:
        found[..., 0] = resolution.width - found[..., 0]
    return found


def _turn(placed: Placement) -> tuple[float, float]:
    """(cosine, sine)"""
    angle = np.deg2rad(placed.turned_deg)
    return float(np.cos(angle)), float(np.sin(angle))


def _placed(
    picture: Image.Image,
    placed: Placement,
    resolution: Resolution,
    how: Image.Resampling,
    ground: int | tuple[int, ...],
) -> Image.Image:
    if placed.turned_deg:
        canvas = _turned(picture, placed, resolution, how, ground)
    else:
        canvas = _laid(picture, placed, resolution, how, ground)
    return canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if placed.mirror else canvas


def _turned(
    picture: Image.Image,
    placed: Placement,
    resolution: Resolution,
    how: Image.Resampling,
    ground: int | tuple[int, ...],
) -> Image.Image:
    """First on a larger canvas, which holds what comes in at the corners."""
    cosine, sine = map(abs, _turn(placed))
    width, height = resolution.width, resolution.height
    more_x = max(0, int(np.ceil((width * cosine + height * sine - width) / 2)))
    more_y = max(0, int(np.ceil((width * sine + height * cosine - height) / 2)))
    wider = replace(placed, left=placed.left + more_x, top=placed.top + more_y)
    canvas = _laid(picture, wider, Resolution(width + 2 * more_x, height + 2 * more_y), how, ground)
    # It is as large as it will be already: two pixels each way are enough.
    turning = Image.Resampling.NEAREST if how == Image.Resampling.NEAREST else Image.Resampling.BILINEAR
    canvas = canvas.rotate(placed.turned_deg, turning, fillcolor=ground)
    return canvas.crop((more_x, more_y, more_x + width, more_y + height))


def _laid(
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
    canvas = Image.new(picture.mode, (resolution.width, resolution.height), ground)
    if right <= left or bottom <= top:
        return canvas
    across, down = picture.width / placed.width, picture.height / placed.height
    box = (
        (left - placed.left) * across,
        (top - placed.top) * down,
        min(picture.width, (right - placed.left) * across),
        min(picture.height, (bottom - placed.top) * down),
    )
    canvas.paste(picture.resize((right - left, bottom - top), how, box=box), (left, top))
    return canvas
