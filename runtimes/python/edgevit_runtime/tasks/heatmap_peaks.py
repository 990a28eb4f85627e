"""Where heatmaps have their peaks, finer than their cells.

A heatmap is learned as a Gaussian around its point, and the logarithm of a Gaussian is a quadratic: three by three
cells give it, and with it the peak, exactly (DARK, Zhang et al. 2020, https://arxiv.org/abs/1910.06278). All nine are
fitted, by least squares, which halves what the steps of an int8 head do to it. Beside the map's edge the nearest nine
serve, as the quadratic is the same everywhere.

(The usual quarter of a cell towards the higher neighbour is off by up to a quarter itself: tests compare both.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.resolution import ResolutionLike, as_resolution

Array = np.ndarray[Any, Any]

_SURE = 60.0
"""A logit beyond it changes no score."""


class Peaks(NamedTuple):
    """One peak for each heatmap.

    points: float32 [points, 2], x and y in pixels of the input, inside it.
    scores: float32 [points], 0 to 1: how sure the model is of the cell that the peak is in.
    """

    points: Array
    scores: Array


def find_peaks(heatmaps: Array, resolution: ResolutionLike) -> Peaks:
    """A head's raw output for one picture -> where each point is.

    heatmaps: float logits [rows, columns, points], even cells over the input; their sigmoid is the score.
    resolution: of the input.
    Raises `EdgeViTError` where they are no heatmaps.
    """
    heatmaps = np.asarray(heatmaps, np.float32)
    if heatmaps.ndim != 3 or not heatmaps.size:
        raise EdgeViTError(f"heatmaps are [rows, columns, points], not {list(heatmaps.shape)}")
    size = as_resolution(resolution)
    rows, columns, count = heatmaps.shape
    heatmaps = np.where(np.isnan(heatmaps), np.float32(-np.inf), heatmaps)
    row, column = np.divmod(heatmaps.reshape(-1, count).argmax(axis=0), columns)
    near_rows, near_columns = _three_around(row, rows), _three_around(column, columns)
    around = heatmaps[near_rows[:, None], near_columns[None], np.arange(count)]  # [3, 3, points]
    across, down = _summit(_log_sigmoid(around))
    x = _near(near_columns[1] + across, column, columns) * size.width / columns
    y = _near(near_rows[1] + down, row, rows) * size.height / rows
    scores = np.exp(_log_sigmoid(heatmaps[row, column, np.arange(count)]))
    return Peaks(np.stack([x, y], axis=1).astype(np.float32), scores.astype(np.float32))


def _three_around(places: Array, cells: int) -> Array:
    """int [3, points]: of a row or column of the map the three cells around each place, moved in from its ends."""
    middle = np.clip(places, 1, max(1, cells - 2))
    return np.clip(middle + np.arange(-1, 2)[:, None], 0, cells - 1)


def _near(found: Array, highest: Array, cells: int) -> Array:
    """Where a peak is from the map's edge on, in cells: on the map, and at most a cell from the middle of the highest.

    (It may be beyond that cell's own edge where a heatmap is longer one way than the other, and turned.)
    """
    if cells < 3:
        return highest + 0.5
    return np.clip(np.clip(found, highest - 1.0, highest + 1.0) + 0.5, 0.0, cells)


def _log_sigmoid(logits: Array) -> Array:
    """float64 and finite, whatever the logits are."""
    return -np.log1p(np.exp(-np.clip(logits.astype(np.float64), -_SURE, _SURE)))


def _summit(values: Array) -> tuple[Array, Array]:
    """[3, 3, points] -> how far across and down from the middle the fitted quadratic is highest; 0 where nowhere."""
    slope_x = (values[:, 2] - values[:, 0]).sum(axis=0) / 6
    slope_y = (values[2] - values[0]).sum(axis=0) / 6
    bend_x = (values[:, 0] - 2 * values[:, 1] + values[:, 2]).sum(axis=0) / 3
    bend_y = (values[0] - 2 * values[1] + values[2]).sum(axis=0) / 3
    twist = (values[2, 2] - values[2, 0] - values[0, 2] + values[0, 0]) / 4
    height = bend_x * bend_y - twist * twist
    is_hill = (bend_x < 0) & (bend_y < 0) & (height > 0)  # else it has no summit, but may have one along an axis
    hill = np.where(is_hill, height, 1.0)
    across = np.where(is_hill, (twist * slope_y - bend_y * slope_x) / hill, _highest(slope_x, bend_x))
    down = np.where(is_hill, (twist * slope_x - bend_x * slope_y) / hill, _highest(slope_y, bend_y))
    return across, down


def _highest(slope: Array, bend: Array) -> Array:
    """Along one axis."""
    return np.where(bend < 0, -slope / np.where(bend < 0, bend, 1.0), 0.0)
