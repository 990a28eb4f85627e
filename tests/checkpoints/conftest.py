"""Small models whose weights other formats are made of."""

import numpy as np
import pytest

from edgevit.config import HALF, ViTConfig
from edgevit.model import build, named_weights

LABELS = ("ash", "birch", "cedar", "elm", "fir")


@pytest.fixture
def make_model():
    """A ViT that no variant describes, no weight of which is zero or one."""

    def make(**changes):
        values = {
            "width": 24, "depth": 2, "heads": 3, "classes": 5, "mlp_width": 40, "base_resolution": 48,
            "mean": HALF, "std": HALF, "labels": LABELS, "resize": "squash,bilinear",
        }  # fmt: skip
        model = build(ViTConfig(**{**values, **changes}), seed=5)
        random = np.random.default_rng(5)
        for variable in named_weights(model).values():
            variable.assign(random.normal(size=variable.shape))
        return model

    return make


@pytest.fixture
def images():
    """uint8 [2, 56, 56, 3] and the way to other sides."""

    def draw(side):
        return np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype(np.uint8)

    return draw
