"""Small pictures and names that several tests use."""

from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("ash", "birch", "cedar", "elm")
LADDER = (32, 48, 64, 80, 96)


def pictures_in(folder: Path, count: int = 6) -> Path:
    """A folder of smooth random pictures, 100 x 80."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for index in range(count):
            random_picture(index).save(folder / f"{index}.png")
    return folder


def random_picture(seed: int, size: tuple[int, int] = (100, 80)) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
