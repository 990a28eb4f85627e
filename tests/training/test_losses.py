"""The losses, against numbers worked out by hand or in plain numpy."""

import numpy as np
import pytest

from edgevit.training import TrainSpec
from edgevit.training.losses import class_weights, cross_entropy, distillation, divergence, smooth, weigh

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], np.float32)
TEACHER = np.array([[0.0, 4.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
TARGETS = np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], np.float32)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_smoothing_keeps_the_sum():
    smoothed = smooth(np.eye(4, dtype=np.float32), 0.1)
    assert np.asarray(smoothed)[0].tolist() == pytest.approx([0.925, 0.025, 0.025, 0.025])


def test_cross_entropy_takes_soft_targets():
    expected = -(TARGETS * np.log(softmax(LOGITS))).sum(-1).mean()
    assert float(cross_entropy(TARGETS, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_class_weights_make_every_class_weigh_the_same():
    classes = np.array([0] * 6 + [1] * 3 + [3], np.int32)
    weights = class_weights(classes, 4)
    totals = np.bincount(classes, weights=weights[classes], minlength=4)
    assert totals.tolist() == pytest.approx([10 / 3, 10 / 3, 0.0, 10 / 3])
    assert weights[classes].mean() == pytest.approx(1.0)
    logs = np.log(softmax(LOGITS))
    wanted = np.array([1.0, 2.0, 4.0], np.float32)
    expected = -(TARGETS * wanted * logs).sum(-1).mean()
    assert float(cross_entropy(weigh(TARGETS, wanted), LOGITS)) == pytest.approx(expected, rel=1e-5)


def settled(targets):
    """The scores of a model that cannot tell pictures apart, where the loss's own gradient is 0."""
    import tensorflow as tf

    logits = tf.Variable(np.zeros((1, targets.shape[-1]), np.float32))
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = cross_entropy(targets, tf.broadcast_to(logits, targets.shape))
        logits.assign_sub(4.0 * tape.gradient(loss, logits))
    return softmax(logits.numpy())[0]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_weighed_classes_settle_at_equal_scores(smoothing):
    """990 of one and 10 of the other. Weights after smoothing would settle at 0.825 and 0.175 under 0.1."""
    classes = np.array([0] * 990 + [1] * 10, np.int32)
    targets = np.eye(2, dtype=np.float32)[classes]
    weighed = smooth(weigh(targets, class_weights(classes, 2)), smoothing)
    assert settled(weighed) == pytest.approx([0.5, 0.5], abs=1e-4)
    plain = settled(smooth(targets, smoothing))  # unweighed, it says how frequent they are
    assert plain == pytest.approx(
        [0.99 * (1 - smoothing) + smoothing / 2, 0.01 * (1 - smoothing) + smoothing / 2], abs=2e-3
    )


def test_weighed_classes_settle_at_equal_scores_when_mixed():
    """Mixup gives a rare picture's target to a common one: each part of a target is weighed by its own class."""
    random = np.random.default_rng(0)
    classes = np.array([0] * 990 + [1] * 10, np.int32)
    targets = np.eye(2, dtype=np.float32)[classes]
    weights = class_weights(classes, 2)
    every_partner = np.concatenate(
        [share * targets + (1.0 - share) * np.roll(targets, shift, axis=0)
         for shift, share in enumerate(random.beta(0.8, 0.8, 50).astype(np.float32))]
    )  # fmt: skip
    assert settled(smooth(weigh(every_partner, weights), 0.1)) == pytest.approx([0.5, 0.5], abs=2e-3)


def test_classes_without_pictures_leave_the_scale_of_the_loss():
    """Two of four classes in a folder, evenly: weights change nothing, and with one of a thousand classes neither."""
    for count, present in ((4, [0, 2]), (1000, [3, 500])):
        classes = np.array(present * 8, np.int32)
        targets = np.eye(count, dtype=np.float32)[classes]
        logits = np.random.default_rng(1).normal(size=(16, count)).astype(np.float32)
        plain = float(cross_entropy(smooth(targets, 0.1), logits))
        weighed = float(cross_entropy(smooth(weigh(targets, class_weights(classes, count)), 0.1), logits))
        assert weighed == pytest.approx(plain, rel=1e-5)


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
