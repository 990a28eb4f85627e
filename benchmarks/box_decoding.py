"""What it takes to turn a detection head's raw maps into boxes: 8400 cells (640 x 640) of 80 classes, in numpy alone.

The heads' outputs are drawn: things here and there, each found by a dozen cells around it, and nothing elsewhere. All
cases take turns in one process, in an order drawn anew for each round. `crowd` is what a damaged head could ask for at
most: one class, everywhere.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from typing import Any

import numpy as np

from edgevit_runtime.resolution import ResolutionLike, as_resolution
from edgevit_runtime.tasks.box_decoding import Detections, decode_boxes, grids_of
from record import write

RESOLUTION = 640
CLASSES = 80
THINGS = {"10 things": 10, "30 things": 30, "100 things": 100}
ROUNDS = 300
WARM_UP = 20
Array = np.ndarray[Any, Any]


def centers(resolution: ResolutionLike) -> tuple[Array, Array]:
    """([cells, 2] in pixels, [cells] the stride of each)."""
    places, strides = [], []
    for grid in grids_of(resolution):
        y, x = np.divmod(np.arange(grid.rows * grid.columns), grid.columns)
        places.append((np.stack([x, y], axis=1) + 0.5) * grid.stride)
        strides.append(np.full(len(x), grid.stride))
    return np.concatenate(places), np.concatenate(strides)


def drawn(things: int, resolution: ResolutionLike, classes: int) -> tuple[Array, Array]:
    """(logarithms of distances, logits) of a picture with so many things."""
    draw = np.random.default_rng(things)
    size = as_resolution(resolution)
    places, strides = centers(size)
    logits = draw.normal(-9.0, 1.0, (len(places), classes)).astype(np.float32)
    distances = draw.uniform(0.5, 4.0, (len(places), 4)).astype(np.float32)
    edge = min(60.0, size.width / 4, size.height / 4)
    for center in draw.uniform(edge, (size.width - edge, size.height - edge), (things, 2)):
        half, index = draw.uniform(20, 120, 2), draw.integers(classes)
        cells = np.argsort(np.abs(places - center).max(axis=1))[:12]
        edges = np.concatenate([places[cells] - (center - half), (center + half) - places[cells]], axis=1)
        wobbling = edges * draw.uniform(0.9, 1.1, edges.shape)
        distances[cells] = np.maximum(wobbling, 1e-3) / strides[cells, None]
        logits[cells, index] = draw.uniform(-0.5, 3.0, len(cells))
    return np.log(distances), logits


def crowd() -> tuple[Array, Array]:
    """One class at every cell."""
    distances, logits = drawn(1, RESOLUTION, CLASSES)
    logits[:, 0] = np.random.default_rng(0).uniform(0.0, 3.0, len(logits))
    return distances, logits


def main() -> None:
    heads = {**{name: drawn(things, RESOLUTION, CLASSES) for name, things in THINGS.items()}, "crowd": crowd()}
    times: dict[str, list[float]] = {name: [] for name in heads}
    found: dict[str, Detections] = {}
    order = random.Random(0)
    for turn in range(WARM_UP + ROUNDS):
        for name in order.sample(list(heads), len(heads)):
            start = time.perf_counter()
            found[name] = decode_boxes(*heads[name], RESOLUTION)
            if turn >= WARM_UP:
                times[name].append((time.perf_counter() - start) * 1e3)
    figures = {
        "resolution": RESOLUTION,
        "cells": len(centers(RESOLUTION)[0]),
        "classes": CLASSES,
        "rounds": ROUNDS,
        "cases": [
            {
                "case": name,
                "over_threshold": int((logits >= np.log(0.25 / 0.75)).sum()),
                "boxes": len(found[name].scores),
                "median_ms": round(statistics.median(times[name]), 3),
                "p90_ms": round(float(np.quantile(times[name], 0.9)), 3),
            }
            for name, (_, logits) in heads.items()
        ],
    }
    print(json.dumps(figures, indent=1))
    write("box_decoding", figures)


if __name__ == "__main__":
    main()
