"""How a training picture is varied, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.errors import unknown_key
from edgevit.training.trivial_augment import apply_operation, draw_operation
from edgevit_runtime.resolution import Resolution


@dataclass(frozen=True)
class Augmentation:
    """A random crop, resized to the batch's resolution, with a little change of light; mirrored where that is safe."""

    area: tuple[float, float]
    """The share of the picture that a crop keeps is drawn from here."""
    aspect: tuple[float, float]
    """The crop's width over its height, relative to the picture's, is drawn from here."""
    mirror: bool
    geometric: bool
    """Whether TrivialAugment, where it is on, may turn, shear and shift."""
    contrast: float
    brightness: float
    """Pixels become (1 ± contrast) * pixel ± brightness, in grey levels."""
    source: str


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": Augmentation((1.0, 1.0), (1.0, 1.0), False, False, 0.0, 0.0, "pictures as they are"),
    "shift": Augmentation(
        (0.9, 1.0), (0.97, 1.03), False, False, 0.2, 15.0,
        "for what may not be mirrored or turned: gauges, text, signs",
    ),
    "photo": Augmentation(
        (0.35, 1.0), (3 / 4, 4 / 3), True, True, 0.2, 15.0,
        "random resized crop and flip, Szegedy et al. 2015, https://arxiv.org/abs/1409.4842",
    ),
}  # fmt: skip


def get_augmentation(name: str) -> Augmentation:
    """The named augmentation. Raises `ConfigError` that lists the names."""
    if name not in AUGMENTATIONS:
        raise unknown_key("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


@dataclass(frozen=True)
class View:
    """One drawn variation: a box as shares of the picture (left, top, width, height), mirroring, light, operation."""

    box: tuple[float, float, float, float]
    mirror: bool
    gain: float
    offset: float
    operation: tuple[str, float] | None = None
    """A name of `edgevit.training.trivial_augment` and its strength."""


def draw_view(augmentation: Augmentation, random: Generator, *, trivial: bool = False) -> View:
    """Draws how one picture will be seen; `trivial` adds an operation of TrivialAugment."""
    area = random.uniform(*augmentation.area)
    aspect = np.exp(random.uniform(*np.log(augmentation.aspect)))
    width, height = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = random.uniform(0.0, 1.0 - width), random.uniform(0.0, 1.0 - height)
    mirror = bool(augmentation.mirror and random.random() < 0.5)
    gain = random.uniform(1.0 - augmentation.contrast, 1.0 + augmentation.contrast)
    offset = random.uniform(-1.0, 1.0) * augmentation.brightness
    operation = draw_operation(random, geometric=augmentation.geometric) if trivial else None
    return View((left, top, width, height), mirror, gain, offset, operation)


def apply_view(picture: Image.Image, view: View, resolution: Resolution) -> NDArray[np.uint8]:
    """The picture as drawn, whatever aspect it has: uint8 [H, W, 3] of the resolution W x H."""
    left, top, width, height = view.box
    box = (
        left * picture.width,
        top * picture.height,
        (left + width) * picture.width,
        (top + height) * picture.height,
    )
    seen = picture.resize((resolution.width, resolution.height), Image.Resampling.BICUBIC, box=box)
    if view.mirror:
        seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if view.operation is not None:
        seen = apply_operation(seen, *view.operation)
    light = np.clip(np.arange(256) * view.gain + view.offset, 0, 255).astype(np.uint8)
    pixels: NDArray[np.uint8] = light[np.asarray(seen)]
    return pixels
