"""A head for points: its heatmaps lie over the picture, in any graph and at any size."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, load, save
from edgevit.model.keypoint_head import KeypointHead

POINTS = ("left ear", "right ear", "nose")


@pytest.fixture(scope="module")
def pointer(tiny_config):
    head = DenseHead("keypoints", 3, POINTS, width=16, skeleton=((0, 2), (1, 2)), flips=(1, 0, 2), margin=0.25)
    return build(tiny_config.with_(classes=0, labels=(), dense_heads=(head,)), seed=1)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (80, 112), (16, 16)])
def test_it_gives_a_heatmap_for_each_point(pointer, height, width):
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3)).astype(np.uint8)
    (heatmaps,) = pointer.dense("keypoints", images).values()
    assert heatmaps.shape == (2, height // 4, width // 4, 3)
    assert heatmaps.dtype == "float32"
    assert np.median(1.0 / (1.0 + np.exp(-np.asarray(heatmaps)))) < 0.1


def test_one_graph_serves_all_sizes(pointer):
    """As training traces it: neither batch nor grid is known."""
    head = pointer.dense_heads["keypoints"]
    traced = tf.function(lambda planes: head(planes), autograph=False).get_concrete_function(
        [tf.TensorSpec((None, None, None, 32))] * 2
    )
    for rows, columns in ((4, 4), (5, 7), (1, 1)):
        planes = [np.random.default_rng(seed).normal(size=(2, rows, columns, 32)).astype("float32") for seed in (0, 1)]
        found = traced([tf.constant(each) for each in planes])["heatmaps"]
        np.testing.assert_allclose(found, head(planes)["heatmaps"], atol=1e-5)


def test_heatmaps_lie_over_the_tokens():
    """Of weights that are the same to all sides, a lone bright token's trace has its middle where the token has it."""
    head = KeypointHead(1, DenseHead("keypoints", 1, width=1))
    head.build(None)
    for variable in head.trainable_variables:
        variable.assign(np.ones(variable.shape) if "kernel" in variable.path else np.zeros(variable.shape))
    plane = np.zeros((1, 5, 7, 1), np.float32)
    plane[0, 2, 4] = 1.0
    heat = np.asarray(head([plane])["heatmaps"])[0, ..., 0]
    rows, columns = (np.arange(size) + 0.5 for size in heat.shape)
    assert (heat.sum(axis=1) @ rows) / heat.sum() == pytest.approx(4 * 2.5)
    assert (heat.sum(axis=0) @ columns) / heat.sum() == pytest.approx(4 * 4.5)


def test_a_file_keeps_the_head(pointer, tmp_path):
    save(pointer, tmp_path / "m.keras")
    again = load(tmp_path / "m.keras")
    (head,) = again.config.dense_heads
    assert head == pointer.config.dense_heads[0]
    assert (head.skeleton, head.flips, head.margin) == (((0, 2), (1, 2)), (1, 0, 2), 0.25)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    (one,), (other,) = (each.dense("keypoints", images).values() for each in (pointer, again))
    np.testing.assert_array_equal(one, other)


WRONG = {
    "skeleton": ({"skeleton": [[0, 3]]}, "a skeleton joins two of 3 points, from 0, not \\[0, 3\\]"),
    "loop": ({"skeleton": [[1, 1]]}, "a skeleton joins two of 3 points"),
    "triple": ({"skeleton": [[0, 1, 2]]}, "a skeleton joins two of 3 points"),
    "flips": ({"flips": [1, 0]}, "flips of 3 points name for each"),
    "one way": ({"flips": [1, 2, 0]}, "flips of 3 points name for each"),
    "margin": ({"margin": -0.5}, "margin must be a share of a box"),
    "task": ({"task": "detect", "flips": [1, 0, 2]}, "a detect head has no flips"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_head_cannot_be(case):
    values, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        DenseHead.from_dict({"task": "keypoints", "outputs": 3, **values})


@pytest.mark.parametrize("task", ["segment", "detect", "keypoints"])
def test_what_is_not_there_is_not_written(task):
    assert set(DenseHead(task, 3).to_dict()) == {"task", "outputs", "labels", "form", "width"}
