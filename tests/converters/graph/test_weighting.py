"""The two ways in which attention weighs the values: the same numbers, of all sizes."""

import numpy as np
import pytest
import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.attention import WEIGHTINGS
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.quantize.recipes import RECIPES, WEIGHTING_KINDS
from support.sample_pictures import random_picture


def test_recipes_know_what_there_is():
    assert WEIGHTING_KINDS.keys() == WEIGHTINGS.keys()
    assert {recipe.weighting for recipe in RECIPES.values()} == {"softmax", "powers"}


@pytest.mark.parametrize("size", [0.1, 3.0, 1000.0])  # all alike, as they are, and one that is nearly all
def test_both_give_the_same(size):
    random = np.random.default_rng(0)
    products = tf.constant(random.normal(0.0, size, (2, 7, 33)), tf.float32)
    values = tf.constant(random.normal(size=(2, 33, 8)), tf.float32)
    (mixed, weights), (again, shares) = (
        WEIGHTINGS[name](Arithmetic(), "site", products, values) for name in ("softmax", "powers")
    )
    np.testing.assert_allclose(again, mixed, atol=1e-5)
    np.testing.assert_allclose(shares, weights, atol=1e-6)


def test_a_model_answers_the_same(tiny_model):
    folded = fold(tiny_model.config, model_arrays(tiny_model), 64)
    image = np.asarray(random_picture(5, (64, 64)))[None]
    exact, found = (graph(tiny_model.config, folded, weighting=name)(image)["logits"] for name in WEIGHTINGS)
    np.testing.assert_allclose(found, exact, atol=1e-5)
