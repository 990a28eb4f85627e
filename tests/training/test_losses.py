"""The losses, against numbers worked out by hand or in plain numpy."""

import numpy as np
import pytest

from edgevit.training import TrainSpec
from edgevit.training.losses import class_weights, cross_entropy, distillation, divergence, smooth

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], np.float32)
TEACHER = np.array([[0.0, 4.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
TARGETS = np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], np.float32)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_smoothing_keeps_the_sum():
    smoothed = smooth(np.eye(4, dtype=np.float32), 0.1)
    assert smoothed[0].tolist() == pytest.approx([0.925, 0.025, 0.025, 0.025])


def test_cross_entropy_takes_soft_targets():
    expected = -(TARGETS * np.log(softmax(LOGITS))).sum(-1).mean()
    assert float(cross_entropy(TARGETS, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_class_weights_make_every_class_weigh_the_same():
    classes = np.array([0] * 6 + [1] * 3 + [3], np.int32)
    weights = class_weights(classes, 4)
    totals = np.bincount(classes, weights=weights[classes], minlength=4)
    assert totals[[0, 1, 3]].tolist() == pytest.approx([10 / 3] * 3)
    losses = -(TARGETS * np.log(softmax(LOGITS))).sum(-1)
    wanted = np.array([1.0, 2.0, 4.0], np.float32)
    expected = (losses * [1.0, 0.25 * 2 + 0.75 * 4]).mean()
    assert float(cross_entropy(TARGETS, LOGITS, wanted)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_divergence_is_kullback_leibler_times_the_square(temperature):
    theirs, ours = softmax(TEACHER / temperature), softmax(LOGITS / temperature)
    expected = temperature**2 * (theirs * np.log(theirs / ours)).sum(-1).mean()
    assert float(divergence(TEACHER, LOGITS, temperature)) == pytest.approx(expected, rel=1e-4)
    assert float(divergence(LOGITS, LOGITS, temperature)) == pytest.approx(0.0, abs=1e-6)


def test_hard_distillation_listens_to_the_teachers_class_only():
    spec = TrainSpec(distillation="hard")
    expected = -np.log(softmax(LOGITS))[[0, 1], [1, 0]].mean()
    assert float(distillation(TEACHER, LOGITS, spec)) == pytest.approx(expected, rel=1e-5)
    assert float(distillation(9 * TEACHER, LOGITS, spec)) == pytest.approx(expected, rel=1e-5)
    soft = TrainSpec(distillation="soft", temperature=2.0)
    assert float(distillation(TEACHER, LOGITS, soft)) == pytest.approx(float(divergence(TEACHER, LOGITS, 2.0)))
