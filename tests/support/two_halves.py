"""Pictures of two classes that a tiny ViT tells apart within seconds: in memory, and as a folder."""

from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.training import ArrayExamples


def halves(count, seed):
    """Pictures whose left (class 0) or right (class 1) half is bright."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (count, 32, 32, 3)).astype(np.uint8)
    classes = (np.arange(count) % 2).astype(np.int32)
    images[classes == 0, :, :16] += 120
    images[classes == 1, :, 16:] += 120
    return ArrayExamples(images, classes, ("left", "right"))


def folder_of_halves(root: Path) -> Path:
    """train/ and val/ with two classes, one picture broken, at odd sizes."""
    for part, count in (("train", 12), ("val", 4)):
        for index, label in enumerate(("left", "right")):
            (root / part / label).mkdir(parents=True)
            examples = halves(2 * count, index)
            for number in range(count):
                picture = examples.picture(2 * number + index).resize((50, 40), Image.Resampling.BICUBIC)
                picture.save(root / part / label / f"{number}.png")
    (root / "train" / "left" / "broken.png").write_bytes(b"no picture")
    return root
