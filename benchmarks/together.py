"""Two tasks from one pass of their backbone, against a file for each: DeiT-Tiny with a classifier and a segment head.

`python benchmarks/together.py [THREADS …]` (default: 1). What is timed takes turns, in an order drawn anew each round:
`inference` is the interpreter's alone, `call` everything from a picture's pixels to typed results: `Model.run` of one
file, `Model.classify` and `Model.segment` of two. A share is the median of the rounds' own. The segment head's weights
are random: what it says does not matter here.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters import convert
from deit_tiny import keras_model
from edgevit.dense_head import DenseHead
from edgevit.model import ViT, build, load, merge_heads, named_weights
from edgevit.model.weights import is_head
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fit
from record import BUILD, real_data, write

RESOLUTIONS = (224, 384)
RECIPES = ("int8", "int8-static")
ROUNDS = 15
SECONDS = 0.5
"""What a burst of one of them takes, about."""
PICTURE = (480, 640)
CLASSES = 3

Call = Callable[[], object]
FILES: dict[str, dict[str, Any]] = {
    "both": {},
    "both without a joint task": {"joint": False},
    "classify": {"task": "classify"},
    "segment": {"task": "segment"},
}
"""By name, what is said to `convert`."""


def with_segment_head(classifier: ViT) -> ViT:
    """The same with a second head over its backbone."""
    config = classifier.config
    head = DenseHead("segment", CLASSES, width=max(32, config.width // 2))
    segmenter = build(config.with_(classes=0, labels=(), label_keys=(), dense_heads=(head,), resize="letterbox"))
    weights = named_weights(classifier)
    for name, variable in named_weights(segmenter).items():
        if not is_head(name):
            variable.assign(weights[name])
    return merge_heads({"classifier": classifier, "segmenter": segmenter}, resize="letterbox")


def files(model: ViT, recipe: str) -> dict[str, Path]:
    """Each of `FILES` as an artefact, made anew."""
    pictures = real_data() / "imagenet_calibration" if recipe == "int8-static" else None
    made = {}
    for name, options in FILES.items():
        made[name] = BUILD / f"together-{recipe}-{name.replace(' ', '-')}.tflite"
        convert(model, made[name], recipe=recipe, resolutions=RESOLUTIONS, calibration=pictures, **options)
    return made


def turns(calls: Mapping[str, Call]) -> dict[str, list[float]]:
    """Milliseconds by round: in each round every call runs a burst."""
    bursts = {}
    for name, call in calls.items():
        call()
        begun = time.perf_counter()
        call()
        bursts[name] = max(1, round(SECONDS / (time.perf_counter() - begun)))
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name in random.sample(list(calls), len(calls)):
            calls[name]()  # pays for the others' use of the caches
            taken = []
            for _ in range(bursts[name]):
                begun = time.perf_counter()
                calls[name]()
                taken.append((time.perf_counter() - begun) * 1e3)
            rounds[name].append(statistics.median(taken))
    return rounds


def compared(together: Call, classify: Call, segment: Call) -> dict[str, Any]:
    """Medians in milliseconds, and one pass as a share of the two files' sum."""
    rounds = turns({"together": together, "classify": classify, "segment": segment})
    shares = [one / (a + b) for one, a, b in zip(*rounds.values(), strict=True)]
    medians = {f"{name}_ms": round(statistics.median(each), 3) for name, each in rounds.items()}
    return {**medians, "share": round(statistics.median(shares), 3)}


def row(paths: Mapping[str, Path], resolution: int, threads: int) -> dict[str, Any]:
    both, classify, segment = (
        Model(paths[name], threads=threads, weight_cache=False) for name in ("both", "classify", "segment")
    )
    with both, classify, segment:
        picture = np.random.default_rng(1).integers(0, 256, (*PICTURE, 3)).astype(np.uint8)
        joint = both.manifest.joint_task(both.tasks)
        assert joint is not None
        image = fit(picture, both.manifest.signature(resolution, joint).resolution, "letterbox")
        inference = compared(
            lambda: both.outputs(image, joint),
            lambda: classify.outputs(image, "classify"),
            lambda: segment.outputs(image, "segment"),
        )
        call = compared(
            lambda: both.run(picture, resolution),
            lambda: classify.classify(picture, resolution),
            lambda: segment.segment(picture, resolution),
        )
    return {"resolution": resolution, "threads": threads, "inference": inference, "call": call}


def measured(threads: Sequence[int]) -> dict[str, Any]:
    model = with_segment_head(load(keras_model()))
    rows, sizes = [], {}
    for recipe in RECIPES:
        paths = files(model, recipe)
        sizes[recipe] = {name: path.stat().st_size for name, path in paths.items()}
        for count in threads:
            for resolution in RESOLUTIONS:
                rows.append({"recipe": recipe, **row(paths, resolution, count)})
                print(rows[-1])
    return {
        "model": "DeiT-Tiny, its classifier and a segment head",
        "picture": f"{PICTURE[1]}x{PICTURE[0]}",
        "rows": rows,
        "size_bytes": sizes,
    }


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    write("together", measured([int(each) for each in sys.argv[1:]] or [1]))


if __name__ == "__main__":
    main()
