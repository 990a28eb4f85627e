"""What the dense heads take beside their backbone, and what decoding takes in numpy: DeiT-Tiny's shape, one thread.

    python benchmarks/dense_latency.py          about 12 minutes, on a machine that does nothing else

Random weights: they take as long as trained ones. In each round all four signatures of a recipe and a resolution run,
in an order drawn anew: the backbone's tokens alone (`features`), and each head with its backbone. A head's time is the
median of the rounds' differences. What is decoded is drawn, as a good head would put it out: regions, things and peaks
in the resolution's own pixels.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import box_decoding
from dense_models import BACKBONE, TASKS, artefact, heads
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.tasks.box_decoding import decode_boxes
from edgevit_runtime.tasks.heatmap_peaks import find_peaks
from edgevit_runtime.tasks.mask_decoding import decode_mask
from record import write
from together import turns

VARIANT = "deit-tiny"
RECIPES = ("int8", "int8-static")
RESOLUTIONS: tuple[ResolutionLike, ...] = (224, 384, "640x384")
THINGS = 10
REGIONS = 6
CELL = 4
"""Pixels of a place of `segment` and `keypoints`."""
Array = np.ndarray[Any, Any]


def decoders(size: Resolution) -> dict[str, Callable[[], object]]:
    """By task what the runtime does with a head's output for a picture of this size."""
    of_task = {each.task: each for each in heads(64)}
    logits, maps = regions(size, of_task["segment"].outputs), peaks(size, of_task["keypoints"].outputs)
    distances, scores = box_decoding.drawn(THINGS, size, of_task["detect"].outputs)
    fitting = fitting_of((size.width, size.height), size, "letterbox")
    return {
        "segment": lambda: decode_mask(logits, fitting),
        "detect": lambda: decode_boxes(distances, scores, size, least_score=0.4, most_overlap=0.5),
        "keypoints": lambda: find_peaks(maps, size),
    }


def regions(size: Resolution, classes: int) -> Array:
    """Logits [rows, columns, classes] of round regions on a ground, sure inside and less so at their edges."""
    draw = np.random.default_rng(1)
    y, x = np.mgrid[CELL / 2 : size.height : CELL, CELL / 2 : size.width : CELL]
    logits: Array = draw.normal(0.0, 0.1, (*y.shape, classes)).astype(np.float32)
    for _ in range(REGIONS):
        middle = draw.uniform(0.1, 0.9, 2) * (size.width, size.height)
        radius = draw.uniform(0.1, 0.25) * min(size.width, size.height)
        inside = (radius - np.hypot(x - middle[0], y - middle[1])) / CELL
        logits[..., draw.integers(1, classes)] += np.clip(inside, -1.0, 4.0) + 1.0
    logits[..., 0] += 2.0
    return logits


def peaks(size: Resolution, points: int) -> Array:
    """Logits [rows, columns, points] with a peak each."""
    draw = np.random.default_rng(2)
    y, x = np.mgrid[CELL / 2 : size.height : CELL, CELL / 2 : size.width : CELL]
    places = draw.uniform(0.2, 0.8, (points, 2)) * (size.width, size.height)
    apart = [np.hypot(x - place[0], y - place[1]) / (2 * CELL) for place in places]
    return np.stack([3.0 - np.minimum(each**2, 10.0) for each in apart], axis=-1).astype(np.float32)


def row(model: Model, resolution: Resolution) -> dict[str, Any]:
    raw = {each["name"]: each for each in model.manifest.raw["signatures"]}
    image = np.random.default_rng(0).integers(0, 256, (resolution.height, resolution.width, 3)).astype(np.uint8)
    inferences = turns({task: partial(model.outputs, image, task) for task in (BACKBONE, *TASKS)})
    decodings = turns(decoders(resolution))
    return {
        "recipe": model.manifest.recipe,
        "resolution": resolution.to_json(),
        "tokens": raw[f"{BACKBONE}_{resolution}"]["tokens"],
        "backbone": _of_signature(BACKBONE, inferences, raw[f"{BACKBONE}_{resolution}"]),
        "tasks": {task: _of_task(task, inferences, decodings, raw[f"{task}_{resolution}"]) for task in TASKS},
    }


def _of_task(
    task: str, inferences: Mapping[str, list[float]], decodings: Mapping[str, list[float]], entry: Mapping[str, Any]
) -> dict[str, Any]:
    beside = zip(inferences[task], inferences[BACKBONE], strict=True)
    return {
        **_of_signature(task, inferences, entry),
        "head_ms": _median([whole - tokens for whole, tokens in beside]),
        "decoding_ms": _median(decodings[task]),
    }


def _of_signature(task: str, inferences: Mapping[str, list[float]], entry: Mapping[str, Any]) -> dict[str, Any]:
    about = {key: entry[key] for key in ("partitions", "ops", "ops_outside", "macs")}
    return {"inference_ms": _median(inferences[task]), **about}


def _median(milliseconds: list[float]) -> float:
    return round(statistics.median(milliseconds), 3)


def main() -> None:
    found = []
    for recipe in RECIPES:
        with Model(artefact(VARIANT, recipe, RESOLUTIONS), threads=1, weight_cache=False) as model:
            for resolution in map(as_resolution, RESOLUTIONS):
                found.append(row(model, resolution))
                print(found[-1], flush=True)
    drawn = {"things": THINGS, "regions": REGIONS}
    write("dense_latency", {"model": VARIANT, "threads": 1, "decoded": drawn, "rows": found})


if __name__ == "__main__":
    main()
