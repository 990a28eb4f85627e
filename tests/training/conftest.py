"""Pictures so plain that a tiny ViT reads them within seconds."""

import numpy as np
import pytest

from edgevit.training import ArrayExamples
from support.sample_pictures import LABELS
from support.two_halves import folder_of_halves


@pytest.fixture(autouse=True)
def _uncompiled(without_xla) -> None:
    """See `without_xla`."""


def quarters(count: int, seed: int, size: int = 48) -> ArrayExamples:
    """Noise with one bright quarter: which one is the class. As many of each of the four."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 120, (count, size, size, 3), np.uint8)
    classes = np.arange(count, dtype=np.int32) % 4
    half = size // 2
    for image, index in zip(images, classes, strict=True):
        top, left = divmod(int(index), 2)
        image[top * half : (top + 1) * half, left * half : (left + 1) * half] += 100
    return ArrayExamples(images, classes, LABELS)


@pytest.fixture(scope="session")
def train_quarters() -> ArrayExamples:
    return quarters(256, seed=1)


@pytest.fixture(scope="session")
def val_quarters() -> ArrayExamples:
    return quarters(80, seed=2)


@pytest.fixture
def folder(tmp_path):
    """Class folders of `support.two_halves`."""
    return folder_of_halves(tmp_path / "photos")
