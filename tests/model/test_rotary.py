"""Rotary positions: queries and keys turn by their places, whatever the grid, and the tokens in front stand still."""

import math
from dataclasses import replace

import numpy as np
import pytest

from edgevit.config import Grid
from edgevit.errors import ConfigError
from edgevit.model import build, named_weights, transfer
from edgevit.model.attention import GlobalAttention
from edgevit.model.rotary import rotated, rotation_of
from edgevit.training.forward import SharedForward
from edgevit_runtime.resolution import Resolution

FORMS = {
    "centred": {"rotary": "centred", "rotary_theta": 100.0, "registers": 2},
    "index": {"rotary": "index", "rotary_theta": 10000.0, "rotary_grid": (6, 4)},
}


def place(config, index, size, base):
    """A place along an axis, in radians at the frequency 1, as the papers and timm have it."""
    if config.rotary == "centred":
        return 2 * math.pi * (2 * (index + 0.5) / size - 1)
    return (index + 1) / size * base


def turned(config, vector, row, column, grid):
    """A head's channels at one place, pair by pair, as complex numbers."""
    quarter, half = config.head_width // 4, config.head_width // 2
    bases = config.rotary_grid or (0, 0)
    found = np.array(vector)
    for pair in range(half):
        axis, number = divmod(pair, quarter)
        where = place(config, (row, column)[axis], grid[axis], bases[axis])
        angle = where * config.rotary_theta ** (-4 * number / config.head_width)
        number = complex(vector[pair], vector[pair + half]) * complex(math.cos(angle), math.sin(angle))
        found[pair], found[pair + half] = number.real, number.imag
    return found


@pytest.mark.parametrize("form", FORMS)
def test_pairs_turn_as_complex_numbers_do(tiny_config, form):
    config, grid = replace(tiny_config, **FORMS[form]), Grid(3, 5)
    heads = np.random.default_rng(0).normal(size=(2, config.heads, config.prefix + 15, config.head_width))
    found = np.asarray(rotated(heads.astype(np.float32), rotation_of(config, grid)))
    np.testing.assert_array_equal(found[:, :, : config.prefix], heads[:, :, : config.prefix].astype(np.float32))
    for place_number in range(15):
        token = config.prefix + place_number
        exact = turned(config, heads[1, 1, token], *divmod(place_number, grid.columns), grid)
        np.testing.assert_allclose(found[1, 1, token], exact, atol=1e-5)


def test_products_depend_on_how_far_apart_two_places_are(tiny_config):
    """Which learned positions cannot promise: the same query and key, moved together, have the same product."""
    config = replace(tiny_config, rotary="index", rotary_grid=(4, 4))
    random = np.random.default_rng(1)
    query, key = (np.tile(random.normal(size=config.head_width), (1, 1, 17, 1)).astype(np.float32) for _ in range(2))
    turned_query, turned_key = (np.asarray(rotated(each, rotation_of(config, Grid(4, 4)))) for each in (query, key))
    products = turned_query[0, 0, 1:] @ turned_key[0, 0, 1:].T
    np.testing.assert_allclose(products[0, 5], products[5, 10], atol=1e-4)  # a row and a column further, each time
    np.testing.assert_allclose(products[1, 2], products[9, 10], atol=1e-4)
    assert abs(products[0, 5] - products[0, 1]) > 1e-2


def test_who_has_none_has_no_rotation(tiny_config):
    assert rotation_of(tiny_config, Grid(2, 2)) is None


def test_attention_of_turned_tokens(tiny_config):
    """The layer's weights of each pair of tokens, computed one by one."""
    config, grid = replace(tiny_config, **FORMS["centred"]), Grid(2, 3)
    layer = GlobalAttention(config.width, config.heads)
    layer.build((None, None, config.width))
    random = np.random.default_rng(2)
    for variable in layer.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    tokens = random.normal(size=(1, config.prefix + 6, config.width)).astype(np.float32)
    weights = np.asarray(layer.weights_of(tokens, rotation_of(config, grid)))
    qkv = np.asarray(layer.qkv(tokens))[0].reshape(-1, 3, config.heads, config.head_width)
    rows = [
        [
            each if token < config.prefix else turned(config, each, *divmod(token - config.prefix, 3), grid)
            for token, each in enumerate(qkv[:, kind, 1])
        ]
        for kind in (0, 1)
    ]
    scores = np.array(rows[0]) @ np.array(rows[1]).T / config.head_width**0.5
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(weights[0, 1], powers / powers.sum(axis=1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("learned", [True, False])
def test_training_computes_the_same_at_any_resolution(tiny_config, form, learned):
    model = build(replace(tiny_config, **FORMS[form], learned_positions=learned), seed=3)
    forward, random = SharedForward(model), np.random.default_rng(3)
    for width, height in ((64, 64), (96, 48)):
        images = random.integers(0, 256, (2, height, width, 3)).astype(np.float32)
        (logits,) = forward.head_logits(images, forward.matrices(Resolution(width, height)), training=False)
        np.testing.assert_allclose(np.asarray(logits), np.asarray(model(images)), atol=1e-5)


def test_fine_tuning_at_another_base_resolution_keeps_all_weights(tiny_config):
    """Without learned positions nothing is resampled."""
    config = replace(tiny_config, rotary="centred", learned_positions=False)
    source = build(config, seed=4)
    target = build(replace(config, base_resolution=96), seed=5)
    transfer(source, target, keep_head=True)
    theirs = named_weights(source)
    for name, variable in named_weights(target).items():
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(theirs[name]))
    with pytest.raises(ConfigError, match="rotary_theta"):
        transfer(source, build(replace(config, rotary_theta=50.0), seed=6), keep_head=True)
