"""A step of a head that reads all tokens listens to the model itself, where it sees more of the picture."""

import numpy as np
import pytest

from edgevit.dense_head import DenseHead
from edgevit.model import build
from edgevit.training import TrainSpec
from edgevit.training.batches import TrainingBatch
from edgevit.training.learner import Learner
from edgevit.training.lessons import DENSE_LESSONS
from edgevit.training.losses import token_distance
from edgevit.training.step import resize
from edgevit_runtime.resolution import Resolution

SMALL, TALL = Resolution(32), Resolution(64, 48)


def batch(seed=0, count=4):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, TALL.height, TALL.width, 3), np.uint8)
    return TrainingBatch(images, random.integers(0, 3, images.shape[:3], np.uint8), SMALL)


def test_self_distillation_pulls_small_towards_tall(tiny_config):
    """How far the tokens of small pictures are from those of the same pictures when they are tall."""
    head = DenseHead("segment", 3, width=16)
    config = tiny_config.with_(classes=0, labels=(), depth=2, dense_heads=(head,), ladder=(SMALL, TALL))

    def tokens(model, pictures):
        grid = config.grid(Resolution(pictures.shape[2], pictures.shape[1]))
        found = model.intermediate(pictures, (config.depth,), normed=True)[config.depth]
        return np.asarray(found)[:, config.prefix :].reshape(len(pictures), *grid, config.width)

    def gap(weight):
        spec = TrainSpec(learning_rate=3e-3, warmup_share=0.0, self_distillation=weight, seed=1)
        objective = DENSE_LESSONS["segment"].objective(config)
        made = Learner(build(config, seed=3), spec, 100, objective=objective)
        losses = [made.step(batch(number % 2)) for number in range(20)]
        assert np.isfinite(losses).all()
        made.keep()
        tall = batch(0).images
        small = np.asarray(resize(tall.astype(np.float32), (SMALL.height, SMALL.width)))
        return float(token_distance(tokens(made.model, tall), tokens(made.model, small)))

    assert gap(10.0) < 0.7 * gap(0.0)


def test_a_token_is_compared_with_what_lies_where_it_does():
    """Whatever the grid is: a plane that changes evenly is itself at half the size."""
    rows, columns = np.mgrid[0:8, 0:12]
    wanted = np.stack([np.ones_like(rows), rows + 0.5, columns + 0.5], axis=-1)[None].astype(np.float32)
    smaller = wanted.reshape(1, 4, 2, 6, 2, 3).mean((2, 4))
    assert float(token_distance(wanted, smaller)) == pytest.approx(0.0, abs=0.02)
    assert float(token_distance(wanted, -smaller)) == pytest.approx(2.0, abs=0.02)
    assert float(token_distance(wanted, smaller[:, ::-1])) > 0.1
