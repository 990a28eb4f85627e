"""Makes `vectors/boxes.json`, `peaks.json` and `crops.json`: what is made of the outputs of detect and keypoints.

    python runtimes/contract/make_finding_vectors.py

Each is worked out here a second time and plainly, so that a fault in the runtime does not become the contract: boxes
one after the other, peaks by a least squares fit, crops in fractions. The same vectors come out each time.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, exp, floor
from pathlib import Path
from typing import Any

import numpy as np
from make_vectors import FOLDER, Size, placed, text_of
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# (resolution, strides, classes, least_score, most_overlap, seed); of the second one, cells stand out.
HEADS: tuple[tuple[Size, tuple[int, ...], int, float, float, int], ...] = (
    ((32, 32), (8, 16, 32), 2, 0.3, 0.6, 0),
    ((44, 28), (8, 16), 3, 0.5, 0.3, 0),
    ((64, 32), (16, 32), 1, 0.05, 0.5, 0),
)
CLEAR = 1e-3
"""No score and no overlap is nearer to its limit: all arithmetic decides alike."""


def sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + exp(-logit))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (one, other)]
    return width * height / (sum(areas) - width * height)


def box_case(number: int) -> dict[str, Any]:
    (width, height), strides, classes, least_score, most_overlap, seed = HEADS[number]
    centers = [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride)
        for stride in strides
        for row in range(ceil(height / stride))
        for column in range(ceil(width / stride))
    ]
    random = np.random.default_rng(seed)
    log_distances = random.normal(0.3, 0.5, (len(centers), 4)).round(3).tolist()
    levels = np.linspace(-4.1, 3.0, len(centers) * classes).round(3)  # no two alike
    logits = random.permutation(levels).reshape(len(centers), classes).tolist()
    found = []
    for (x, y, stride), edges, scores in zip(centers, log_distances, logits, strict=True):
        left, top, right, bottom = (exp(each) * stride for each in edges)
        box = max(0.0, x - left), max(0.0, y - top), min(width, x + right), min(height, y + bottom)
        for index, logit in enumerate(scores):
            assert abs(sigmoid(logit) - least_score) > CLEAR
            if sigmoid(logit) >= least_score and box[0] < box[2] and box[1] < box[3]:
                found.append((logit, index, box))
    found.sort(key=lambda each: -each[0])
    assert len({each[0] for each in found}) == len(found)
    kept: list[tuple[float, int, Sequence[float]]] = []
    for candidate in found:
        shares = [overlap(candidate[2], box) for _, index, box in kept if index == candidate[1]]
        assert all(abs(each - most_overlap) > CLEAR for each in shares)
        if all(each <= most_overlap for each in shares):
            kept.append(candidate)
    assert 0 < len(kept) < len(found)
    return {
        "resolution": [width, height],
        "strides": list(strides),
        "least_score": least_score,
        "most_overlap": most_overlap,
        "log_distances": log_distances,
        "cell_logits": logits,
        "boxes": [[round(each, 4) for each in box] for _, _, box in kept],
        "scores": [round(sigmoid(logit), 6) for logit, _, _ in kept],
        "classes": [index for _, index, _ in kept],
    }


def box_vectors() -> dict[str, Any]:
    return {
        "format": (
            "Of detect. The cells are those of the first stride's grid over the prepared picture, row by row, "
            "ceil(width / stride) x ceil(height / stride) of them, then those of the next; a cell's centre is that of "
            "its square. exp(log_distances[cell]) times its stride is how far the left, top, right and bottom edges "
            "of its box are from there; boxes are cut at the edges of the prepared picture. The sigmoid of "
            "cell_logits[cell][class] is the score: what has less than least_score is no box. From the best on, each "
            "box drives out those of its class whose intersection is more than most_overlap of the union. `boxes` "
            "(xmin, ymin, xmax, ymax of the prepared picture), `scores` and `classes` must come out, best first; to "
            "1e-3 and 1e-5. (A runtime may look at the 1000 best alone, and give 100.)"
        ),
        "cases": [box_case(number) for number in range(len(HEADS))],
    }


# (resolution, rows, columns, where the points are, in cells): in the middle, between cells, at an edge and in a corner.
MAPS: tuple[tuple[Size, int, int, tuple[tuple[float, float], ...]], ...] = (
    ((64, 48), 12, 16, ((8.5, 6.5), (8.9, 6.2), (3.25, 9.6))),
    ((60, 60), 6, 5, ((0.4, 2.6), (4.7, 5.4), (2.5, 0.2))),
)
SPREAD = 1.2
"""Of the Gaussians, in cells."""


def log_sigmoid(logit: float) -> float:
    return -math.log1p(exp(-logit))


def quadratic(values: Numbers) -> tuple[float, float]:
    """[3, 3] -> (across, down): how far from the middle the quadratic is highest that fits them best."""
    down, across = (each.reshape(-1) for each in np.mgrid[-1:2, -1:2].astype(np.float64))
    terms = np.stack([across * across, down * down, across * down, across, down, np.ones(9)], axis=1)
    (xx, yy, xy, x, y, _), *_ = np.linalg.lstsq(terms, values.reshape(-1), rcond=None)
    place = np.linalg.solve([[2 * xx, xy], [xy, 2 * yy]], [-x, -y])
    assert xx < 0.0
    assert 4 * xx * yy > xy * xy
    return float(place[0]), float(place[1])


def peak_case(number: int) -> dict[str, Any]:
    (width, height), rows, columns, places = MAPS[number]
    random = np.random.default_rng(10 + number)
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    maps, points, scores = [], [], []
    for at_x, at_y in places:
        gaussian = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * SPREAD**2)).clip(1e-4, 0.99)
        logits = (np.log(gaussian / (1 - gaussian)) + random.normal(0.0, 0.05, gaussian.shape)).round(3)
        row, column = np.unravel_index(int(logits.argmax()), logits.shape)
        near_row, near_column = min(max(int(row), 1), rows - 2), min(max(int(column), 1), columns - 2)
        around = logits[near_row - 1 : near_row + 2, near_column - 1 : near_column + 2]
        across, down = quadratic(np.vectorize(log_sigmoid)(around))
        found_x = min(max(near_column + across, int(column) - 1), int(column) + 1) + 0.5
        found_y = min(max(near_row + down, int(row) - 1), int(row) + 1) + 0.5
        points.append([
            round(min(max(found_x, 0.0), columns) * width / columns, 4),
            round(min(max(found_y, 0.0), rows) * height / rows, 4),
        ])  # fmt: skip
        scores.append(round(sigmoid(float(logits.max())), 6))
        maps.append(logits)
    return {
        "resolution": [width, height],
        "heatmaps": np.stack(maps, axis=-1).tolist(),
        "points": points,
        "scores": scores,
    }


def peak_vectors() -> dict[str, Any]:
    return {
        "format": (
            "Of keypoints. heatmaps[row][column][point] are even cells over the prepared picture of `resolution`, "
            "before a sigmoid. For each point: the first highest cell, whose sigmoid is the score; the three by three "
            "cells around it (moved in by one where it lies at the map's edge); of their logarithms of the sigmoid "
            "the quadratic that fits best, by least squares, and where that is highest, yet at most a cell from the "
            "middle of the highest cell in either direction, and on the map. `points` [x, y] of the prepared picture "
            "and `scores` must come out; to 1e-3 and 1e-5."
        ),
        "cases": [peak_case(number) for number in range(len(MAPS))],
    }


PICTURES: tuple[Size, ...] = ((200, 120), (64, 64), (500, 3))
BOXES = ((20.0, 10.0, 60.0, 50.0), (-30.5, 1.25, 40.25, 300.0), (1.5, 0.5, 2.25, 2.75), (50.0, 0.0, 64.0, 3.0))
CROPS: tuple[tuple[Size, str], ...] = (((64, 64), "letterbox"), ((48, 64), "squash"), ((40, 40), "crop:0.875"))
MARGINS = (0.0, 0.25, 1.5)
"""Numbers that doubles hold exactly, so that no runtime rounds another way."""


def crop_cases() -> Iterator[dict[str, Any]]:
    for size in PICTURES:
        for box in BOXES:
            if box[0] >= size[0] or box[1] >= size[1]:
                continue  # it shows nothing of the picture, and is refused
            for margin in MARGINS:
                for resolution, policy in CROPS:
                    yield crop_case(size, box, margin, resolution, policy)


def crop_case(size: Size, box: tuple[float, ...], margin: float, resolution: Size, policy: str) -> dict[str, Any]:
    near = [max(Fraction(0), Fraction(each)) for each in box[:2]]
    far = [min(Fraction(side), Fraction(each)) for side, each in zip(size, box[2:], strict=True)]
    grown = Fraction(margin) * max(end - start for start, end in zip(near, far, strict=True))
    first, last = [floor(each - grown) for each in near], [ceil(each + grown) for each in far]
    whole = last[0] - first[0], last[1] - first[1]
    scaled, *origins = placed(whole, resolution, policy)
    corner, part, laid, places = [], [], [], []
    for axis in range(2):
        start, end = max(0, first[axis]), min(size[axis], last[axis])
        edges = [
            floor(Fraction((each - first[axis]) * scaled[axis], whole[axis]) + origins[axis] + Fraction(1, 2))
            for each in (start, end)
        ]
        corner.append(start)
        part.append(end - start)
        places.append(edges[0])
        laid.append(max(1, edges[1] - edges[0]))
    return {
        "picture": list(size),
        "box": list(box),
        "margin": margin,
        "resolution": list(resolution),
        "policy": policy,
        "corner": corner,
        "part": part,
        "scaled": laid,
        "left": places[0],
        "top": places[1],
    }


def crop_vectors() -> dict[str, Any]:
    return {
        "format": (
            "Of keypoints that look at boxes. Sizes are [width, height], corners [x, y]. `box` (xmin, ymin, xmax, "
            "ymax) is cut at the picture's edges, grown on each side by `margin` of its longer side, and out to "
            "whole pixels; what it then holds would be fitted to `resolution` under `policy` as fitting.json says. Of "
            "that, the part that the picture has, `part` large from `corner` on, is made `scaled` and laid at (left, "
            "top): its edges in the prepared picture, each rounded to the nearest whole number, halves up. The rest "
            "is `fill`. All whole numbers. x_picture = (x - left) * part width / scaled width + corner x."
        ),
        "cases": list(crop_cases()),
    }


VECTORS = {"boxes.json": box_vectors, "peaks.json": peak_vectors, "crops.json": crop_vectors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the vectors go (default: %(default)s)")
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    for name, make in VECTORS.items():
        (folder / name).write_text(text_of(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
