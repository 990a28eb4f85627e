"""Tiny models with heads for two tasks over one backbone."""

from dataclasses import replace

import numpy as np

from edgevit.dense_head import DenseHead
from edgevit.model import build, named_weights
from edgevit.model.weights import is_head

MASK_LABELS = ("background", "cat", "dog")
SEGMENT = DenseHead("segment", 3, MASK_LABELS, width=32)


def randomized(config, seed=7):
    """Fresh weights with noise on them: new heads and biases say nothing."""
    model, random = build(config, seed=seed), np.random.default_rng(seed)
    for variable in named_weights(model).values():
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.1, variable.shape).astype(np.float32))
    return model


def two_headed(tiny_config, seed=7):
    """It classifies and segments."""
    return randomized(tiny_config.with_(dense_heads=(SEGMENT,), resize="letterbox"), seed)


def over(backbone, config, seed=1):
    """Heads of their own over another model's backbone."""
    model = randomized(config, seed)
    weights = named_weights(backbone)
    for name, variable in named_weights(model).items():
        if not is_head(name):
            variable.assign(weights[name])
    return model


def pair(tiny_config):
    """A classifier and a segmenter over its backbone."""
    classifier = randomized(tiny_config.with_(ladder=(32, 48)))
    alone = tiny_config.with_(
        classes=0, labels=(), dense_heads=(replace(SEGMENT),), resize="letterbox", ladder=(48, 64)
    )
    return classifier, over(classifier, alone)
