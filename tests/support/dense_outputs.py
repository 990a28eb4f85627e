"""What heads would put out that know the truth."""

import numpy as np

from edgevit_runtime.tasks.box_decoding import grids_of

SURE, NEVER = 6.0, -12.0


def box_outputs(truth, classes, scores=None, patch=16, shift=0.0):
    """A `BoxTruth` -> `log_distances` [cells, 4] and `cell_logits` [cells, classes] of a head that finds its boxes.

    scores: of each box its logit; None: all are sure. shift: in pixels of the prepared picture, to the right.
    """
    resolution = truth.fitting.resolution
    grids = grids_of(resolution, (patch // 2, patch, 2 * patch))
    cells = sum(grid.columns * grid.rows for grid in grids)
    log_distances, logits = np.zeros((cells, 4), np.float32), np.full((cells, classes), NEVER, np.float32)
    taken = set()
    moved = truth.fitting.boxes_to_prepared(truth.boxes) + np.array([shift, 0.0, shift, 0.0])
    for number, box in enumerate(moved):
        if (box[2:] <= box[:2]).any():
            continue  # cut off by the crop
        places = free_cells(grids, box)
        place, middle, stride = next(each for each in places if each[0] not in taken)
        taken.add(place)
        log_distances[place] = np.log(np.concatenate([middle - box[:2], box[2:] - middle]) / stride)
        logits[place, truth.classes[number]] = SURE if scores is None else scores[number]
    return {"log_distances": log_distances, "cell_logits": logits}


def free_cells(grids, box):
    """(index, middle, stride) of the cells whose middle is in a box, the nearest to its own middle first."""
    begun, found = 0, []
    for grid in grids:
        rows, columns = np.mgrid[: grid.rows, : grid.columns]
        middles = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * grid.stride
        inside = ((middles > box[:2]) & (middles < box[2:])).all(axis=1)
        far = np.abs(middles - (box[:2] + box[2:]) / 2).max(axis=1) / grid.stride
        found += [(far[each], begun + each, middles[each], grid.stride) for each in np.flatnonzero(inside)]
        begun += grid.columns * grid.rows
    return [each[1:] for each in sorted(found, key=lambda each: each[:2])]


def heatmaps(truth, rows, columns, spread=1.0, shift=(0.0, 0.0)):
    """A `PointTruth` -> logits [rows, columns, points] with a peak at each point, moved by so many picture pixels."""
    resolution = truth.fitting.resolution
    placed = truth.points[:, :2].astype(np.float64) + shift - truth.corner
    cells = truth.fitting.to_prepared(placed) * (columns / resolution.width, rows / resolution.height) - 0.5
    y, x = np.mgrid[:rows, :columns]
    found = np.empty((rows, columns, len(cells)), np.float32)
    for point, (column, row) in enumerate(cells):
        # The log of the sigmoid is the quadratic of a Gaussian, as a head learns it, with a peak of 0.9.
        shares = np.clip(0.9 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * spread**2)), 1e-12, None)
        found[..., point] = np.log(shares / (1 - shares))
    return found
