"""What a model starts from: another's weights, whatever differs in front of and behind the encoder."""

import numpy as np
import pytest

from edgevit.errors import ConfigError
from edgevit.model import build, named_weights, transfer


def weights(model):
    return {name: np.asarray(each) for name, each in named_weights(model).items()}


def images(height=64, width=None):
    return np.random.default_rng(0).integers(0, 256, (2, height, width or height, 3)).astype(np.uint8)


def test_the_same_shape_is_the_same_model(tiny_model):
    target = build(tiny_model.config, seed=1)
    transfer(tiny_model, target, keep_head=True)
    np.testing.assert_array_equal(target(images()), tiny_model(images()))


def test_a_new_head_stays_as_it_was(tiny_model):
    target = build(tiny_model.config.with_(labels=()).with_(classes=7), seed=1)
    before = weights(target)
    transfer(tiny_model, target, keep_head=False)
    assert np.array_equal(weights(target)["head/linear/bias"], before["head/linear/bias"])
    np.testing.assert_array_equal(target.features(images()), tiny_model.features(images()))


def test_positions_move_to_another_grid(tiny_model):
    """On its own grid the target has what the source resamples to, so there they compute the same."""
    target = build(tiny_model.config.with_(base_resolution=96), seed=1)
    transfer(tiny_model, target, keep_head=True)
    np.testing.assert_allclose(target(images(96)), tiny_model(images(96)), atol=1e-4)


def test_positions_move_to_a_rectangle(tiny_model):
    """And from there to one that stands upright."""
    wide = build(tiny_model.config.with_(base_resolution="80x48"), seed=1)
    transfer(tiny_model, wide, keep_head=True)
    assert wide.positions.positions.shape == (1 + 5 * 3, tiny_model.config.width)
    np.testing.assert_allclose(wide(images(48, 80)), tiny_model(images(48, 80)), atol=1e-4)
    upright = build(tiny_model.config.with_(base_resolution="48x80"), seed=1)
    transfer(wide, upright, keep_head=True)
    np.testing.assert_allclose(upright(images(80, 48)), wide(images(80, 48)), atol=1e-4)


def test_a_distillation_token_starts_as_the_class_token(tiny_model):
    target = build(tiny_model.config.with_(distilled=True), seed=1)
    transfer(tiny_model, target, keep_head=True)
    ours = weights(target)
    assert np.array_equal(ours["positions/distillation_token"], ours["positions/class_token"])
    assert np.array_equal(ours["positions/positions"][0], ours["positions/positions"][1])
    assert np.array_equal(ours["distillation_head/linear/kernel"], ours["head/linear/kernel"])
    one, other = target.head_logits(images())
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_distillation_token_can_be_dropped(tiny_model):
    distilled = build(tiny_model.config.with_(distilled=True), seed=1)
    plain = build(tiny_model.config, seed=2)
    transfer(distilled, plain, keep_head=True)
    theirs, ours = weights(distilled), weights(plain)
    assert np.array_equal(ours["positions/positions"], np.delete(theirs["positions/positions"], 1, axis=0))
    assert np.array_equal(ours["positions/class_token"], theirs["positions/class_token"])


def test_other_shapes_are_refused(tiny_model):
    with pytest.raises(ConfigError, match="cannot start from a model with depth 3: this one has 2"):
        transfer(tiny_model, build(tiny_model.config.with_(depth=2)), keep_head=True)
