"""A head that reads all tokens: what it computes, and that a model keeps it."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, load, named_weights, save
from edgevit.model.segmentation_head import enlarged

LABELS = ("background", "cat", "dog")


def config_with(tiny_config, form="conv", depth=3):
    head = DenseHead("segment", 3, LABELS, form, width=16)
    return tiny_config.with_(classes=0, labels=(), depth=depth, dense_heads=(head,))


@pytest.mark.parametrize("times", [2, 4])
def test_planes_are_enlarged_as_tensorflow_does(times):
    plane = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    expected = tf.image.resize(plane, (5 * times, 7 * times), method="bilinear")
    np.testing.assert_allclose(enlarged(plane, times), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["linear", "conv"])
def test_it_gives_a_class_for_each_four_pixels(tiny_config, form):
    model = build(config_with(tiny_config, form), seed=1)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3)).astype(np.uint8)
    assert model.dense("segment", images).shape == (2, 16, 24, 3)


def test_one_block_has_no_two_last(tiny_config):
    config = config_with(tiny_config, depth=1)
    assert config.blocks_read("segment") == (1,)
    assert build(config, seed=1).dense("segment", np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 8, 8, 3)


def test_a_linear_head_is_a_linear_layer_on_tokens(tiny_config):
    """And so linear in its weights: twice the kernel, twice the logits' distance from the bias."""
    model = build(config_with(tiny_config, "linear"), seed=1)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    kernel = named_weights(model)["segment_head/classes/kernel"]
    first = np.asarray(model.dense("segment", images))
    kernel.assign(2.0 * np.asarray(kernel))
    np.testing.assert_allclose(model.dense("segment", images), 2.0 * first, rtol=1e-4, atol=1e-5)


def test_a_file_keeps_the_head(tiny_config, tmp_path):
    model = build(config_with(tiny_config), seed=1)
    save(model, tmp_path / "m.keras")
    again = load(tmp_path / "m.keras")
    assert again.config.dense_heads == model.config.dense_heads
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(model.dense("segment", images), again.dense("segment", images))


WRONG = {
    "task": ({"task": "segmnt", "outputs": 3}, "unknown dense task 'segmnt'"),
    "form": ({"task": "segment", "outputs": 3, "form": "convolution"}, "unknown form of a segment head"),
    "outputs": ({"task": "segment", "outputs": 0}, "outputs of a segment head must be a whole number"),
    "labels": ({"task": "segment", "outputs": 3, "labels": ("a", "b")}, "2 labels for a segment head of 3"),
    "entries": ({"task": "segment", "outputs": 3, "depth": 1}, "unknown entries of a head: depth"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_head_cannot_be(case):
    values, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        DenseHead.from_dict(values)


def test_a_task_has_one_head(tiny_config):
    head = DenseHead("segment", 3)
    with pytest.raises(ConfigError, match="two heads for one task"):
        tiny_config.with_(dense_heads=(head, head))
