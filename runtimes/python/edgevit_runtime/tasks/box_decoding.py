"""Boxes out of what an anchor-free detection head puts out.

At every cell of a few grids (strides 8, 16 and 32) such a head says how far a box's four edges lie from the cell's
centre, as logarithms, and for each class how sure it is (FCOS, https://arxiv.org/abs/1904.01355). Of boxes of one class
that cover the same thing the best stays: greedy non-maximum suppression.

Nothing of it trusts the numbers: whatever stands in them, boxes are finite and inside the input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.resolution import ResolutionLike, as_resolution

Array = np.ndarray[Any, Any]

STRIDES = (8, 16, 32)
PAIRS_AT_A_TIME = 1 << 13
"""So many pairs of boxes are compared at a time: beside them little memory is taken."""
_SURE = 80.0
"""A logit beyond it changes no score, and its exponential would overflow."""


class StrideGrid(NamedTuple):
    """The cells of one stride: `stride` pixels wide and high, row by row from the input's upper left corner."""

    stride: int
    columns: int
    rows: int


class Detections(NamedTuple):
    """What was found, best first.

    boxes: float32 [n, 4], xmin, ymin, xmax, ymax in pixels of the input, each at least somewhat wide and high.
    scores: float32 [n], 0 to 1.
    classes: int64 [n], their indices.
    """

    boxes: Array
    scores: Array
    classes: Array


def grids_of(resolution: ResolutionLike, strides: Sequence[int] = STRIDES) -> tuple[StrideGrid, ...]:
    """The grids that cover a resolution, one for each of `strides`. Of no multiple of them the last cells stand out."""
    size = as_resolution(resolution)
    return tuple(StrideGrid(stride, -(-size.width // stride), -(-size.height // stride)) for stride in strides)


def decode_boxes(
    log_distances: Array,
    logits: Array,
    resolution: ResolutionLike,
    *,
    grids: Sequence[StrideGrid] | None = None,
    least_score: float = 0.25,
    most_overlap: float = 0.5,
    candidates: int = 1000,
    most: int = 100,
) -> Detections:
    """A head's raw outputs for one picture -> its boxes.

    log_distances: float [cells, 4], natural logarithms of how far left, top, right and bottom edges are from a cell's
        centre, in strides; the cells of the first grid, then those of the next.
    logits: float [cells, classes]; their sigmoid is the score.
    resolution: of the input, whose pixels the boxes are in; they end at its edges.
    grids: what the cells are; by default `grids_of(resolution)`.
    least_score: what scores less is no box.
    most_overlap: of two boxes of one class whose intersection is a larger share of their union, the better stays.
    candidates: how many of the best are looked at, at most; of equal ones the first.
    most: how many boxes are given back, at most.
    Raises `EdgeViTError` for outputs that do not fit the grids, and for limits that are none.
    """
    size = as_resolution(resolution)
    grids = grids_of(size) if grids is None else grids
    log_distances, logits = np.asarray(log_distances, np.float32), np.asarray(logits, np.float32)
    _check(log_distances, logits, grids, least_score, most_overlap, candidates, most)
    cells, classes, values = _best(logits, _logit(least_score), candidates)
    boxes = _boxes(log_distances[cells], cells, grids, (size.width, size.height))
    whole = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])  # what is not a number is no box
    boxes, classes, values = boxes[whole], classes[whole], values[whole]
    kept = best_of_overlapping(boxes, classes, most_overlap)[:most]
    scores = 1.0 / (1.0 + np.exp(-np.clip(values[kept], -_SURE, _SURE)))
    return Detections(boxes[kept], scores.astype(np.float32), classes[kept])


def best_of_overlapping(boxes: Array, classes: Array, most_overlap: float) -> Array:
    """Greedy non-maximum suppression, each class by itself.

    boxes: float32 [n, 4], best first; classes: int [n]. Gives the indices of those that stay, ascending.
    """
    order = np.argsort(classes, kind="stable")  # one class after the other, the best of each first
    sorted_boxes, sorted_classes = boxes[order], classes[order]
    stays = np.ones(len(order), bool)
    ends = np.searchsorted(sorted_classes, sorted_classes, side="right")
    worse = ends - np.arange(len(order)) - 1  # how many of its class come after a box
    start = 0
    while start < len(order):
        pairs = worse[start:] * stays[start:]  # what is driven out drives out nothing
        stop = max(1, int(np.searchsorted(np.cumsum(pairs), PAIRS_AT_A_TIME, side="right")))
        _drive_out(stays, sorted_boxes, start, pairs[:stop], most_overlap)
        start += stop
    return np.sort(order[stays])


def _drive_out(stays: Array, boxes: Array, start: int, pairs: Array, most_overlap: float) -> None:
    """Lets the boxes from `start` on drive out those after them: each may meet as many as `pairs` says."""
    better = np.repeat(np.arange(start, start + len(pairs)), pairs)
    worse = better + 1 + np.arange(len(better)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    alive = stays[worse]
    better, worse = better[alive], worse[alive]
    overlapping = _overlap(boxes, better, worse, most_overlap)
    better, worse = better[overlapping], worse[overlapping]
    firsts = np.flatnonzero(np.diff(better, prepend=-1))
    for first, last in zip(firsts.tolist(), [*firsts[1:].tolist(), len(better)]):
        if stays[better[first]]:
            stays[worse[first:last]] = False


def _overlap(boxes: Array, one: Array, other: Array, most: float) -> Array:
    """bool [pairs]: whether the intersection is more than that share of the union."""
    left, top, right, bottom = np.ascontiguousarray(boxes.T)
    area = (right - left) * (bottom - top)
    width = np.minimum(right[one], right[other]) - np.maximum(left[one], left[other])
    height = np.minimum(bottom[one], bottom[other]) - np.maximum(top[one], top[other])
    common = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    found: Array = common > np.float32(most) * (area[one] + area[other] - common)
    return found


def _best(logits: Array, least: float, candidates: int) -> tuple[Array, Array, Array]:
    """(cells, classes, logits) of the best, best first, of equal ones the first."""
    places = np.flatnonzero(logits >= np.float32(least))  # false for what is not a number
    values = logits.reshape(-1)[places]
    if len(values) > candidates:
        last = np.partition(values, len(values) - candidates)[len(values) - candidates]
        above = values > last
        as_good = np.flatnonzero(values == last)
        above[as_good[: candidates - np.count_nonzero(above)]] = True
        places, values = places[above], values[above]
    order = np.argsort(-values, kind="stable")
    cells, classes = np.divmod(places[order], logits.shape[1])
    return cells, classes, values[order]


def _boxes(log_distances: Array, cells: Array, grids: Sequence[StrideGrid], size: tuple[int, int]) -> Array:
    """float32 [n, 4] in pixels, cut at the input's edges; not a number where a distance is none."""
    ends = np.cumsum([grid.columns * grid.rows for grid in grids])
    of = np.searchsorted(ends, cells, side="right")
    stride, columns = (np.array([grid[part] for grid in grids])[of] for part in (0, 1))
    rows, columns = np.divmod(cells - np.concatenate([[0], ends])[of], columns)
    centers = ((np.stack([columns, rows], axis=1) + 0.5) * stride[:, None]).astype(np.float32)
    # No edge is further than the whole input, so nothing overflows.
    furthest = np.float32(math.log(max(size)))
    reach = np.exp(np.minimum(log_distances, furthest)) * stride[:, None].astype(np.float32)
    corners = np.concatenate([centers - reach[:, :2], centers + reach[:, 2:]], axis=1)
    inside: Array = np.clip(corners, np.float32(0.0), np.array([*size, *size], np.float32))
    return inside


def _logit(score: float) -> float:
    if 0.0 < score < 1.0:
        return math.log(score / (1.0 - score))
    return math.inf if score else -math.inf


def _check(
    log_distances: Array,
    logits: Array,
    grids: Sequence[StrideGrid],
    least_score: float,
    most_overlap: float,
    candidates: int,
    most: int,
) -> None:
    cells = sum(grid.columns * grid.rows for grid in grids)
    fits = cells > 0 and log_distances.shape == (cells, 4) and logits.ndim == 2 and logits.shape[0] == cells
    if not fits or not logits.shape[1]:
        raise EdgeViTError(
            f"distances {list(log_distances.shape)} and logits {list(logits.shape)} are not those of {cells} cells: "
            f"[{cells}, 4] and [{cells}, classes]"
        )
    for name, share in (("least_score", least_score), ("most_overlap", most_overlap)):
        if not 0.0 <= share <= 1.0:
            raise EdgeViTError(f"{name} is a number from 0 to 1, not {share}")
    for name, count in (("candidates", candidates), ("most", most)):
        if count < 1:
            raise EdgeViTError(f"{name} must be 1 or more, not {count}")
