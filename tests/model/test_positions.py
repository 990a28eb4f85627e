"""Resampling of the learned positions, against Pillow's and PyTorch's own bicubic."""

import numpy as np
import pytest
from PIL import Image

from edgevit.model.positions import Positions, bicubic_matrix


@pytest.mark.parametrize(("size", "base"), [(6, 14), (14, 14), (24, 14), (9, 4), (4, 9), (1, 14)])
def test_matrix_is_pillows_bicubic(size, base):
    plane = np.random.default_rng(0).normal(size=(base, base)).astype(np.float32)
    matrix = bicubic_matrix(size, base)
    pillow = np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(matrix @ plane @ matrix.T, pillow, atol=2e-6)


@pytest.mark.parametrize("size", [6, 8, 20])
def test_matrix_is_torchs_antialiased_bicubic(size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    plane = np.random.default_rng(1).normal(size=(14, 14)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(
        torch.tensor(plane)[None, None],
        size=(size, size),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    matrix = bicubic_matrix(size, 14)
    # PyTorch works its weights out in float32, ours come from float64: 3e-6 apart at 20.
    np.testing.assert_allclose(matrix @ plane @ matrix.T, theirs[0, 0].numpy(), atol=1e-5)


def test_layer_keeps_the_class_position_and_orders_rows_first():
    layer = Positions(width=2, base_grid=3)
    layer.build((None, None, 2))
    rows = np.repeat(np.arange(3.0), 3)
    columns = np.tile(np.arange(3.0), 3)
    layer.positions.assign(np.concatenate([[[9.0, 9.0]], np.stack([rows, columns], axis=1)]))
    resampled = np.asarray(layer.resampled(6))
    assert resampled.shape == (37, 2)
    np.testing.assert_array_equal(resampled[0], [9.0, 9.0])
    plane = resampled[1:].reshape(6, 6, 2)
    np.testing.assert_allclose(plane[:, 0, 0], plane[:, 5, 0], atol=1e-6)  # a row's number is the same all along it
    assert (np.diff(plane[0, :, 1]) > 0).all()
