"""Resampling of the learned positions, against Pillow's and PyTorch's own bicubic."""

import numpy as np
import pytest
from PIL import Image

from edgevit.model.positions import Positions, resampling_matrix
from edgevit.model_choices import RESAMPLINGS

GRIDS = [((6, 6), (14, 14)), ((24, 24), (14, 14)), ((9, 4), (4, 9)), ((12, 20), (14, 14)), ((5, 14), (14, 9))]
"""(rows, columns) wanted, and learned on."""


def plane_of(base, seed=0):
    return np.random.default_rng(seed).normal(size=base).astype(np.float32)


@pytest.mark.parametrize("kernel", RESAMPLINGS)
@pytest.mark.parametrize(("size", "base"), [(6, 14), (14, 14), (24, 14), (9, 4), (4, 9), (1, 14)])
def test_matrix_is_pillows(size, base, kernel):
    plane = plane_of((base, base))
    matrix = resampling_matrix(size, base, kernel)
    pillow = np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling[kernel.upper()]))
    np.testing.assert_allclose(matrix @ plane @ matrix.T, pillow, atol=2e-6)


@pytest.mark.parametrize(("grid", "base"), GRIDS)
def test_matrices_are_torchs_antialiased_bicubic(grid, base):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    plane = plane_of(base, 1)
    theirs = torch.nn.functional.interpolate(
        torch.tensor(plane)[None, None], size=grid, mode="bicubic", antialias=True, align_corners=False
    )
    down, across = resampling_matrix(grid[0], base[0]), resampling_matrix(grid[1], base[1])
    # PyTorch works its weights out in float32, ours come from float64: 3e-6 apart at 20.
    np.testing.assert_allclose(down @ plane @ across.T, theirs[0, 0].numpy(), atol=1e-5)


def keys(x, a=-0.5):
    """Keys' kernel, as the paper writes it."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def resampled_point_by_point(plane, grid):
    """Antialiased bicubic, both dimensions at once, as in textbooks: [rows, columns, width] -> [*grid, width]."""
    found = np.zeros((*grid, plane.shape[2]))
    steps = [of / size for of, size in zip(plane.shape, grid, strict=False)]
    wide = [max(step, 1.0) for step in steps]
    for row in range(grid[0]):
        for column in range(grid[1]):
            total = 0.0
            for y in range(plane.shape[0]):
                for x in range(plane.shape[1]):
                    weight = keys((y + 0.5 - (row + 0.5) * steps[0]) / wide[0])
                    weight *= keys((x + 0.5 - (column + 0.5) * steps[1]) / wide[1])
                    total += weight
                    found[row, column] += weight * plane[y, x]
            found[row, column] /= total
    return found


@pytest.mark.parametrize(("grid", "base"), [*GRIDS, ((3, 1), (1, 5)), ((4, 9), (4, 9))])
@pytest.mark.parametrize("distilled", [False, True])
def test_layer_resamples_rectangles_and_keeps_those_in_front(grid, base, distilled):
    layer, prefix = Positions(width=3, base_grid=base, distilled=distilled), 1 + distilled
    layer.build((None, None, None, 3))
    learned = np.random.default_rng(2).normal(size=layer.positions.shape).astype(np.float32)
    assert learned.shape == (prefix + base[0] * base[1], 3)
    layer.positions.assign(learned)
    found = np.asarray(layer.resampled(grid))
    np.testing.assert_array_equal(found[:prefix], learned[:prefix])
    expected = resampled_point_by_point(learned[prefix:].reshape(*base, 3), grid)
    np.testing.assert_allclose(found[prefix:].reshape(*grid, 3), expected, atol=1e-5)


def test_layer_tells_rows_from_columns():
    """Two grids of as many patches have positions of their own."""
    layer = Positions(width=2, base_grid=(3, 3))
    layer.build((None, None, None, 2))
    layer.positions.assign(np.random.default_rng(0).normal(size=(10, 2)))
    wide, upright = (np.asarray(layer(np.zeros((1, *grid, 2), np.float32)))[0] for grid in ((2, 6), (6, 2)))
    assert wide.shape == upright.shape == (13, 2)
    np.testing.assert_allclose(wide[1:], np.asarray(layer.resampled((2, 6)))[1:], atol=1e-6)
    assert np.abs(wide[1:] - upright[1:]).max() > 0.1


def test_layer_orders_rows_first():
    layer = Positions(width=2, base_grid=(3, 3))
    layer.build((None, None, None, 2))
    rows = np.repeat(np.arange(3.0), 3)
    columns = np.tile(np.arange(3.0), 3)
    layer.positions.assign(np.concatenate([[[9.0, 9.0]], np.stack([rows, columns], axis=1)]))
    plane = np.asarray(layer.resampled((6, 6)))[1:].reshape(6, 6, 2)
    np.testing.assert_allclose(plane[:, 0, 0], plane[:, 5, 0], atol=1e-6)  # a row's number is the same all along it
    assert (np.diff(plane[0, :, 1]) > 0).all()
