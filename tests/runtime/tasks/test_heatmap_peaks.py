"""Peaks of heatmaps are found to a small part of a cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.tasks.heatmap_peaks import find_peaks

ROWS, COLUMNS = 24, 32
RESOLUTION = "512x384"  # 16 pixels a cell


def drawn(points, sigma, height=0.9):
    """Logits of Gaussians: points [n, 2] in cells, x and y from the upper left corner -> [rows, columns, n]."""
    x, y = np.arange(COLUMNS) + 0.5, np.arange(ROWS) + 0.5
    distance = (x[None, :, None] - points[:, 0]) ** 2 + (y[:, None, None] - points[:, 1]) ** 2
    log = np.log(height) - distance / (2 * sigma**2)
    return (log - np.log1p(-np.exp(log))).astype(np.float32)


def in_cells(heatmaps):
    return find_peaks(heatmaps, RESOLUTION).points.astype(np.float64) / 16


def quarter_of_a_cell(heatmaps):
    """The usual way: a quarter towards the higher neighbour."""
    points = []
    for one in np.moveaxis(heatmaps, 2, 0):
        row, column = np.unravel_index(one.argmax(), one.shape)
        across = np.sign(one[row, min(column + 1, COLUMNS - 1)] - one[row, max(column - 1, 0)]) / 4
        down = np.sign(one[min(row + 1, ROWS - 1), column] - one[max(row - 1, 0), column]) / 4
        points.append((column + 0.5 + across, row + 0.5 + down))
    return np.array(points)


def anywhere(count, margin, seed=0):
    return np.random.default_rng(seed).uniform(margin, (COLUMNS - margin, ROWS - margin), (count, 2))


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("height", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("margin", [0.0, 3.0])
def test_drawn_gaussians(sigma, height, margin):
    points = anywhere(200, margin)
    found = find_peaks(drawn(points, sigma, height), RESOLUTION)
    assert np.abs(found.points / 16 - points).max() < 0.001
    assert found.scores.max() <= height + 1e-6


def test_better_than_a_quarter_of_a_cell():
    points = anywhere(200, 3.0)
    usual = np.abs(quarter_of_a_cell(drawn(points, 2.0)) - points)
    assert 0.2 < usual.max() < 0.27
    assert np.abs(in_cells(drawn(points, 2.0)) - points).max() < 0.001


@pytest.mark.parametrize(("sigma", "step", "most"), [(1.0, 1 / 16, 0.02), (2.0, 1 / 16, 0.05), (2.0, 1 / 8, 0.1)])
def test_steps_of_an_int8_head(sigma, step, most):
    """256 steps from -12 to 4 are a sixteenth each: 0.05 cells at most 19 of 20 times."""
    points = anywhere(400, 3.0)
    steps = np.round(drawn(points, sigma).clip(-12, 4) / step) * step
    ours, usual = (np.abs(found - points) for found in (in_cells(steps), quarter_of_a_cell(steps)))
    assert np.quantile(ours, 0.95) < most < np.quantile(usual, 0.95)


def test_turned_ellipses():
    points = anywhere(50, 3.0)
    x, y = np.arange(COLUMNS) + 0.5, np.arange(ROWS) + 0.5
    dx, dy = x[None, :, None] - points[:, 0], y[:, None, None] - points[:, 1]
    log = -0.2 - 0.3 * dx * dx - 0.2 * dy * dy - 0.3 * dx * dy
    assert np.abs(in_cells(log - np.log1p(-np.exp(log))) - points).max() < 0.001


def test_in_pixels_of_the_input():
    heatmaps = np.full((4, 8, 1), -9.0, np.float32)
    heatmaps[1, 6] = 2.0
    found = find_peaks(heatmaps, "80x80")
    np.testing.assert_allclose(found.points, [[65, 30]])
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-2.0)), rtol=1e-6)
    assert (found.points.dtype, found.scores.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 2), (2, 9), (3, 3)])
def test_small_maps(shape):
    random = np.random.default_rng(0).normal(size=(*shape, 20)).astype(np.float32)
    found = find_peaks(random, (shape[1], shape[0]))
    highest = np.divmod(random.reshape(-1, 20).argmax(axis=0), shape[1])
    assert (np.abs(found.points - np.stack(highest[::-1], axis=1) - 0.5) <= 1.0).all()
    assert ((found.points >= 0) & (found.points <= shape[::-1])).all()


@given(st.lists(st.sampled_from([0.0, 1e38, -1e38, 90.0, np.inf, -np.inf, np.nan, 1e-40]), min_size=40, max_size=40))
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("error")
def test_whatever_the_numbers_points_are_inside(values):
    found = find_peaks(np.array(values, np.float32).reshape(4, 5, 2), "50x40")
    assert np.isfinite(found.points).all()
    assert ((found.points >= 0) & (found.points <= [50, 40])).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_what_is_no_heatmap():
    for shape in ((3, 3), (0, 4, 2), (4, 4, 0)):
        with pytest.raises(EdgeViTError, match=r"heatmaps are \[rows, columns, points\], not"):
            find_peaks(np.zeros(shape, np.float32), 32)
