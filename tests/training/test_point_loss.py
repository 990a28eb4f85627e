"""What keypoints minimise is least where the decoder reads every point exactly."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.data.panels import POINTS
from edgevit.dense_head import DenseHead
from edgevit.training.lessons import DENSE_LESSONS
from edgevit.training.loop import start_model, train
from edgevit.training.point_loss import LEAST_SIGMA, gaussians, heatmap_loss
from edgevit.training.spec import TrainSpec
from edgevit.variants import variant_config
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.heatmap_peaks import find_peaks


def right(targets, shape, size):
    wanted, _ = gaussians(tf.constant(targets), tf.constant(shape), size)
    scores = np.clip(wanted.numpy(), 1e-7, 1 - 1e-7)
    return np.log(scores / (1 - scores)).astype(np.float32)


def drawn(count, size, seed=0):
    places = np.random.default_rng(seed).uniform(2, (size[1] - 2, size[0] - 2), (1, count, 2))
    return np.concatenate([places, np.ones((1, count, 1))], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("size", "stride"), [((224, 224), 4), ((48, 80), 4), ((48, 48), 8)])
def test_right_heatmaps_cost_nothing_and_are_read_exactly(size, stride):
    targets = drawn(50, size)
    maps = right(targets, (1, size[0] // stride, size[1] // stride, 50), size)
    assert float(heatmap_loss(targets, {"heatmaps": maps}, size)) == pytest.approx(0.0, abs=1e-3)
    found = find_peaks(maps[0], Resolution(size[1], size[0])).points
    np.testing.assert_allclose(found, targets[0, :, :2], atol=0.05)
    slopes = slope(targets, maps, size)
    assert np.abs(slopes).max() < 1e-4
    assert float(heatmap_loss(targets, {"heatmaps": np.roll(maps, 1, axis=2)}, size)) > 0.05


def slope(targets, maps, size):
    maps = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        loss = heatmap_loss(tf.constant(targets), {"heatmaps": maps}, size)
    return tape.gradient(loss, maps).numpy()


def test_points_without_a_weight_teach_nothing():
    size, targets = (64, 64), drawn(3, (64, 64))
    targets[0, 1, 2] = 0.0
    maps = np.random.default_rng(1).normal(size=(1, 16, 16, 3)).astype(np.float32)
    slopes = slope(targets, maps, size)
    assert np.abs(slopes[..., 1]).max() == 0.0
    assert np.abs(slopes[..., [0, 2]]).min() > 0.0
    targets[..., 2] = 0.0
    assert float(heatmap_loss(targets, {"heatmaps": maps}, size)) == 0.0


def test_the_width_follows_the_map():
    widths = [float(gaussians(drawn(1, (64, 64)), (1, side, side, 1), (64, 64))[1]) for side in (12, 56, 84)]
    assert widths == pytest.approx([LEAST_SIGMA, 2.0, 3.0])


def test_a_small_model_learns_drawn_gauges(tmp_path):
    lesson, size = DENSE_LESSONS["keypoints"], Resolution(64)
    pictures = lesson.drawn(32, size, 0), lesson.drawn(8, size, 1)
    head = lesson.head(pictures[0], 32)
    assert head == DenseHead("keypoints", 2, POINTS, width=32, skeleton=((0, 1),))
    config = variant_config("vit-nano").with_(
        classes=0, depth=2, ladder=(size,), base_resolution=size, resize="letterbox", dense_heads=(head,)
    )
    spec = TrainSpec(epochs=8, batch=16, learning_rate=2e-3, label_smoothing=0.0, augmentation="none")
    result = train(start_model(config, None, 0), *pictures, spec, tmp_path / "m.keras", task="keypoints")
    losses = [each.loss for each in result.epochs]
    assert losses[-1] < 0.8 * losses[0]
    (answered,) = result.best_answers.values()
    assert set(answered.figures) >= {"pck", "median_error", "pck_by_point", "oks"}
    assert (result.best.metric, answered.count) == ("pck", 8)
