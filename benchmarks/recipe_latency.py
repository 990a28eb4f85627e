"""Every recipe at 96 to 512 with one and two threads.

`python benchmarks/recipe_latency.py [THREADS …] [RESOLUTION …]` measures those (default: all); other rows stay.
All recipes of a resolution take turns in one process; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from typing import Any

from converters.quantize.recipes import RECIPES
from deit_tiny import artefact
from edgevit_runtime import Model
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from record import RESULTS, write

RESOLUTIONS = (96, 160, 224, 320, 512)
SECONDS = 1.0
ROUNDS = 12


def turns(models: dict[str, Model], resolution: int) -> dict[str, list[float]]:
    """Milliseconds by round: in each round every model runs a burst, in an order drawn anew."""
    image = draw_picture(GENERATOR, 1, resolution)
    bursts = {}
    for name, model in models.items():
        model.outputs(image)
        begun = time.perf_counter()
        model.outputs(image)
        bursts[name] = max(1, round(SECONDS / ROUNDS / (time.perf_counter() - begun)))
    rounds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name in random.sample(list(models), len(models)):
            models[name].outputs(image)
            taken = []
            for _ in range(bursts[name]):
                begun = time.perf_counter()
                models[name].outputs(image)
                taken.append((time.perf_counter() - begun) * 1e3)
            rounds[name].append(statistics.median(taken))
    return rounds


def row(models: dict[str, Model], resolution: int, threads: int) -> dict[str, Any]:
    rounds = turns(models, resolution)

    def ratio(name: str, other: str) -> float:
        return round(statistics.median(a / b for a, b in zip(rounds[name], rounds[other], strict=True)), 3)

    return {
        "resolution": resolution,
        "threads": threads,
        "median_ms": {name: round(statistics.median(each), 3) for name, each in rounds.items()},
        "over_int8": {name: ratio(name, "int8") for name in models},
        "times_faster_than_float32": {name: ratio("float32", name) for name in models},
    }


def main() -> None:
    asked = [int(each) for each in sys.argv[1:]]
    threads = [each for each in asked if each < 16] or [1, 2]
    resolutions = [each for each in asked if each >= 16] or list(RESOLUTIONS)
    paths = {name: artefact(name, RESOLUTIONS) for name in RECIPES}
    path = RESULTS / "recipe_latency.json"
    kept = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = {(each["threads"], each["resolution"]): each for each in kept}
    for count in threads:
        models = {name: Model(path, threads=count) for name, path in paths.items()}
        for resolution in resolutions:
            rows[count, resolution] = row(models, resolution, count)
            print(rows[count, resolution])
            ordered = [rows[key] for key in sorted(rows)]
            write("recipe_latency", {"model": "DeiT-Tiny", "rows": ordered})


if __name__ == "__main__":
    main()
