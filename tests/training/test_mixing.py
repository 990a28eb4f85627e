"""Mixup, cutmix and erasing in a batch: pictures and targets change together, and the draws can be put back."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.training import TrainSpec
from edgevit.training.mixing import Mixing

COUNT = 8
LEVELS = np.arange(COUNT, dtype=np.float32) * 30.0
"""Picture i is all of this grey level, and its class is i: what is in a picture can be read off its pixels."""
IMAGES = np.broadcast_to(LEVELS[:, None, None, None], (COUNT, 32, 32, 3)).copy()
TARGETS = np.eye(COUNT, dtype=np.float32)


def mixed(mixing, times=1):
    call = tf.function(mixing)
    results = [tuple(np.asarray(each) for each in call(IMAGES, TARGETS)) for _ in range(times)]
    return results[0] if times == 1 else results


def test_off_changes_nothing():
    images, targets = mixed(Mixing(TrainSpec()))
    assert np.array_equal(images, IMAGES)
    assert np.array_equal(targets, TARGETS)


def test_mixup_blends_pictures_as_it_blends_classes():
    images, targets = mixed(Mixing(TrainSpec(mixup=1.0)))
    np.testing.assert_allclose(images[:, 0, 0, 0], targets @ LEVELS, atol=1e-3)
    np.testing.assert_allclose(targets.sum(-1), 1.0, atol=1e-5)
    assert (targets.max(-1) < 0.99).any()


def test_cutmix_pastes_as_much_as_it_changes_classes():
    images, targets = mixed(Mixing(TrainSpec(cutmix=1.0)))
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        found = {float(level) for level in np.unique(image)}
        assert found <= set(LEVELS.tolist())  # pasted, not blended
        assert (image == LEVELS[index]).mean() == pytest.approx(target[index], abs=0.1)  # boxes end between pixels
    assert (targets.max(-1) < 0.99).any()


def test_both_take_turns():
    kinds = set()
    for images, targets in mixed(Mixing(TrainSpec(mixup=1.0, cutmix=1.0)), times=12):
        np.testing.assert_allclose(targets.sum(-1), 1.0, atol=1e-5)
        kinds.add(bool(np.isin(images, LEVELS).all()))
    assert kinds == {True, False}


def test_erasing_hits_its_share_and_leaves_the_targets():
    hit = 0
    for images, targets in mixed(Mixing(TrainSpec(erasing=0.25)), times=40):
        assert np.array_equal(targets, TARGETS)
        assert images.min() >= 0.0
        assert images.max() <= 255.0
        hit += (images != IMAGES).any(axis=(1, 2, 3)).sum()
    assert 0.17 < hit / (40 * COUNT) < 0.33


def test_the_draws_go_on_where_they_were():
    first = Mixing(TrainSpec(mixup=0.5, cutmix=1.0, erasing=0.5))
    mixed(first, times=3)
    states = [np.asarray(each) for each in first.variables]
    second = Mixing(TrainSpec(mixup=0.5, cutmix=1.0, erasing=0.5, seed=3))
    for variable, state in zip(second.variables, states, strict=True):
        variable.assign(state)
    for ours, theirs in zip(mixed(first, times=3), mixed(second, times=3), strict=True):
        assert np.array_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
