"""A head for boxes: its cells are those that the runtime decodes, in any graph and at any size."""

import numpy as np
import pytest
import tensorflow as tf

from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit.model import build, load, named_weights, save, transfer
from edgevit.model.detection_head import DetectionHead
from edgevit_runtime.resolution import as_resolution
from edgevit_runtime.tasks.box_decoding import grids_of

STRIDES = (8, 16, 32)
SIZES = ["64", "96x64", "80x112", "16"]


@pytest.fixture(scope="module")
def detector(tiny_config):
    head = DenseHead("detect", 3, ("cat", "dog", "hen"), width=16)
    return build(tiny_config.with_(classes=0, labels=(), dense_heads=(head,)), seed=1)


def pictures_of(size, count=2, seed=0):
    place = as_resolution(size)
    return np.random.default_rng(seed).integers(0, 256, (count, place.height, place.width, 3)).astype(np.uint8)


def cells_at(size):
    return sum(grid.columns * grid.rows for grid in grids_of(size, STRIDES))


@pytest.mark.parametrize("size", SIZES)
def test_it_has_the_cells_that_are_decoded(detector, size):
    assert detector.config.cell_strides == STRIDES
    found = detector.dense("detect", pictures_of(size))
    assert {name: values.shape for name, values in found.items()} == {
        "log_distances": (2, cells_at(size), 4),
        "cell_logits": (2, cells_at(size), 3),
    }
    assert all(values.dtype == "float32" for values in found.values())


def test_one_graph_serves_all_sizes(detector):
    """As training traces it: neither batch nor grid is known."""
    head = detector.dense_heads["detect"]
    traced = tf.function(lambda planes: head(planes), autograph=False).get_concrete_function(
        [tf.TensorSpec((None, None, None, 32))] * 3
    )
    for rows, columns in ((4, 4), (5, 7), (1, 1)):
        planes = [
            np.random.default_rng(seed).normal(size=(2, rows, columns, 32)).astype("float32") for seed in (0, 1, 2)
        ]
        found, expected = traced([tf.constant(each) for each in planes]), head(planes)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-5)


def test_a_cell_looks_at_where_it_lies():
    """A lone bright token moves those cells most that lie over it, on each level, of an odd grid, too."""
    head = DetectionHead(1, DenseHead("detect", 1, width=1))
    head.build(None)
    for variable in head.trainable_variables:
        kernel = np.zeros(variable.shape, np.float32)
        if "kernel" in variable.path:
            kernel[...] = 1.0 if kernel.ndim == 2 or "halved" in variable.path else 0.0
            if kernel.ndim == 4 and "halved" not in variable.path:
                kernel[1, 1] = 1.0
        variable.assign(kernel)
    plane = np.zeros((1, 5, 7, 1), np.float32)
    plane[0, 4, 6] = 1.0  # the last token: pixels 96 to 112 across, 64 to 80 down
    logits = np.asarray(head([plane, plane])["cell_logits"])[0, :, 0]
    start = 0
    for grid in grids_of("112x80", STRIDES):
        count = grid.columns * grid.rows
        row, column = divmod(int(logits[start : start + count].argmax()), grid.columns)
        assert 64 <= (row + 0.5) * grid.stride <= 80
        assert 96 <= (column + 0.5) * grid.stride <= 112
        start += count
    assert start == len(logits)


def test_patches_have_halves(tiny_config):
    with pytest.raises(ConfigError, match="patches of 15 have none"):
        tiny_config.with_(patch=15, base_resolution=60, ladder=(), dense_heads=(DenseHead("detect", 3),))


def test_a_fresh_head_finds_next_to_nothing_anywhere(detector):
    """Else the first steps are lost on a loss in the tens."""
    found = {name: np.asarray(values) for name, values in detector.dense("detect", pictures_of("64")).items()}
    assert np.max(1.0 / (1.0 + np.exp(-found["cell_logits"]))) < 0.02
    assert 1.5 < np.exp(found["log_distances"]).min() < np.exp(found["log_distances"]).max() < 2.5


def test_a_file_keeps_the_head(detector, tmp_path):
    save(detector, tmp_path / "m.keras")
    again = load(tmp_path / "m.keras")
    assert again.config.dense_heads == detector.config.dense_heads
    images = pictures_of("64")
    for name, values in detector.dense("detect", images).items():
        np.testing.assert_array_equal(values, again.dense("detect", images)[name])


def test_another_head_begins_anew(detector, tiny_config):
    other = build(tiny_config.with_(classes=0, labels=(), dense_heads=(DenseHead("detect", 5, width=16),)), seed=2)
    before = np.array(named_weights(other)["detect_head/cells/kernel"])
    transfer(detector, other, keep_head=False)
    np.testing.assert_array_equal(named_weights(other)["detect_head/cells/kernel"], before)
    for name in ("block1/expand/kernel", "patches/projection/kernel"):
        np.testing.assert_array_equal(named_weights(other)[name], named_weights(detector)[name])
