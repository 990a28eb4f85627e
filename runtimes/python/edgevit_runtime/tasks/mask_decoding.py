"""A map of classes over the picture, out of what a segmentation head puts out for each patch.

Logits, not classes, are interpolated: edges come out smooth. That is done in parts, so that a large picture with many
classes takes little memory; and where the four logits around a pixel name the same class, so would any mixture of them,
and nothing is computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.fitting import Fitting

Array = np.ndarray[Any, Any]

NOT_SEEN = 255
"""In the place of a class, where a crop left the picture out."""
SAMPLES = 1 << 17
"""So many interpolated logits are held at a time."""
_LARGEST = 1e6
"""Beyond it, logits differ by more than any softmax can show."""


class ClassMap(NamedTuple):
    """What each pixel of a picture shows.

    classes: uint8 [height, width], the class's index or `NOT_SEEN`.
    confidence: uint8 [height, width], its softmax probability in 255ths, 0 where nothing was seen; None if not asked.
    """

    classes: Array
    confidence: Array | None


def decode_mask(logits: Array, fitting: Fitting, *, confidence: bool = False) -> ClassMap:
    """A head's raw output for one picture -> the class of each of the picture's own pixels.

    logits: float [rows, columns, classes], even cells over the prepared picture, borders and all.
    fitting: where the picture lies in it. What a letterbox laid around it is cut off, what a crop cut off is
        `NOT_SEEN`.
    confidence: whether to say how sure the model is, which takes longer.
    Raises `EdgeViTError` where the logits are no such map, or name more classes than a byte can.
    """
    logits = np.asarray(logits, np.float32)
    if logits.ndim != 3 or not logits.size:
        raise EdgeViTError(f"a map of logits is [rows, columns, classes], not {list(logits.shape)}")
    if logits.shape[2] > NOT_SEEN:
        raise EdgeViTError(f"a class map holds at most {NOT_SEEN} classes, not {logits.shape[2]}")
    logits = np.nan_to_num(logits, nan=-_LARGEST).clip(-_LARGEST, _LARGEST)
    width, height = fitting.picture
    down, across = _Axis.of(fitting, 1, logits.shape[0]), _Axis.of(fitting, 0, logits.shape[1])
    classes = np.full((height, width), NOT_SEEN, np.uint8)
    sure = np.zeros((height, width), np.uint8) if confidence else None
    step = max(1, SAMPLES // logits.shape[2])  # pixels of a part
    for left in range(across.start, across.stop if down.start < down.stop else across.start, step):
        part = slice(left, min(across.stop, left + step))
        _decode_columns(logits, down, across, part, step, classes, sure)
    return ClassMap(classes, sure)


class _Axis(NamedTuple):
    """Where the pixels of a picture's row or column lie among the cells of the map.

    start, stop: those that the prepared picture shows, the last exclusive.
    cells: int [pixels], of the two cells that a pixel lies between the first one.
    shares: float32 [pixels], 0 to 1, how much of the second one it has.
    second: 1, or 0 where there is a single cell.
    """

    start: int
    stop: int
    cells: Array
    shares: Array
    second: int

    @classmethod
    def of(cls, fitting: Fitting, axis: int, cells: int) -> _Axis:
        """axis: 0 across, 1 down."""
        size = (fitting.resolution.width, fitting.resolution.height)[axis]
        near = (fitting.left, fitting.top)[axis]
        centers = np.arange(fitting.picture[axis]) + 0.5
        prepared = centers * fitting.scaled[axis] / fitting.picture[axis] + near
        start, stop = np.searchsorted(prepared, [0.0, size]).tolist()
        places = np.clip(prepared * cells / size - 0.5, 0.0, cells - 1.0)
        first = np.minimum(places.astype(np.int64), max(cells - 2, 0))
        return cls(start, stop, first, (places - first).astype(np.float32), min(cells - 1, 1))


def _decode_columns(
    logits: Array, down: _Axis, across: _Axis, part: slice, at_a_time: int, classes: Array, sure: Array | None
) -> None:
    """Fills some columns of the map, from top to bottom, so many pixels at a time."""
    cells, shares = across.cells[part], across.shares[part, None]

    def widened(row: int, chosen: Array) -> Array:
        """A row of the map at chosen columns of the picture: float32 [chosen, classes]."""
        first = logits[row, cells[chosen]]
        mixed: Array = first + shares[chosen] * (logits[row, cells[chosen] + across.second] - first)
        return mixed

    best = logits.argmax(axis=2).astype(np.uint8)
    edges = [down.start, *(np.flatnonzero(np.diff(down.cells[down.start : down.stop])) + 1 + down.start), down.stop]
    for top, bottom in zip(edges[:-1], edges[1:]):  # these rows of pixels lie between the same two rows of cells
        row = int(down.cells[top])
        upper, lower = best[row], best[row + down.second]
        classes[top:bottom, part] = upper[cells]
        same = (upper == lower)[cells] & (upper[cells] == upper[cells + across.second])
        same &= lower[cells] == lower[cells + across.second]
        chosen = np.flatnonzero(~same) if sure is None else np.arange(len(cells))
        if not len(chosen):
            continue
        first = widened(row, chosen)
        change = widened(row + down.second, chosen) - first
        rows = max(1, at_a_time // len(chosen))
        for start in range(top, bottom, rows):
            stop = min(bottom, start + rows)
            values = first + down.shares[start:stop, None, None] * change
            found = values.argmax(axis=2)
            classes[start:stop, part.start + chosen] = found
            if sure is not None:
                values -= np.take_along_axis(values, found[:, :, None], 2)
                total = np.exp(values, out=values) @ np.ones(values.shape[2], np.float32)
                sure[start:stop, part] = np.rint(255.0 / total)
