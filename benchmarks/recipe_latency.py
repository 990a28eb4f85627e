"""Every recipe at 96 to 512 with one and two threads, beside what it was before this work on speed and size.

`python benchmarks/recipe_latency.py [THREADS …] [RESOLUTION …]` measures those (default: all); other rows stay.
The artefacts of before are made by the code of the commit `BEFORE`, from this clone's history. All recipes of a
resolution, before and after, take turns in one process; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.quantize.recipes import RECIPES
from deit_tiny import artefact, checkpoint
from edgevit_runtime import Model
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from record import BUILD, RESULTS, ROOT, real_data, write

BEFORE = "0c9752e"
RECIPES_BEFORE = ("float32", "float16", "int8", "int8-static", "int8-full")
RESOLUTIONS = (96, 160, 224, 320, 512)
SECONDS = 1.0
ROUNDS = 12
# From the checkpoint: of a .keras file that is newer than itself, edgevit does not know the config.
SCRIPT = """
import sys
from pathlib import Path
from edgevit.checkpoints import import_checkpoint
from edgevit.converters import convert
model, calibration = import_checkpoint(Path(sys.argv[1]), "deit-tiny"), Path(sys.argv[2])
resolutions = [int(each) for each in sys.argv[3].split(",")]
for name, path in zip(sys.argv[4::2], sys.argv[5::2]):
    pictures = calibration if name in ("int8-static", "int8-attention", "int8-full") else None
    convert(model, Path(path), recipe=name, resolutions=resolutions, calibration=pictures)
"""


def before(
    commit: str = BEFORE,
    recipes: Sequence[str] = RECIPES_BEFORE,
    resolutions: Sequence[int] = RESOLUTIONS,
) -> dict[str, Path]:
    """The artefacts that the code of a commit makes."""
    paths = {name: BUILD / f"before-{commit}-{name}-ladder{len(resolutions)}.tflite" for name in recipes}
    missing = [str(each) for name, path in paths.items() if not path.exists() for each in (name, path)]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
            # As it is installed: converters lies in the package.
            (Path(folder) / "converters").rename(Path(folder) / "edgevit" / "converters")
            environment = {**os.environ, "PYTHONPATH": f"{folder}:{folder}/runtimes/python"}
            ladder = ",".join(map(str, resolutions))
            calibration = real_data() / "imagenet_calibration"
            subprocess.run(
                [sys.executable, "-c", SCRIPT, checkpoint(), calibration, ladder, *missing],
                check=True,
                cwd=folder,
                env=environment,
            )
    return paths


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

    after = [name for name in models if not name.startswith("before ")]
    return {
        "resolution": resolution,
        "threads": threads,
        "median_ms": {name: round(statistics.median(each), 3) for name, each in rounds.items()},
        "over_before": {name: ratio(name, f"before {name}") for name in after if f"before {name}" in models},
        "over_int8": {name: ratio(name, "int8") for name in after},
        "times_faster_than_float32": {name: ratio("float32", name) for name in after},
    }


def main() -> None:
    asked = [int(each) for each in sys.argv[1:]]
    threads = [each for each in asked if each < 16] or [1, 2]
    resolutions = [each for each in asked if each >= 16] or list(RESOLUTIONS)
    paths = {f"before {name}": path for name, path in before().items()}
    paths |= {name: artefact(name, RESOLUTIONS) for name in RECIPES}
    path = RESULTS / "recipe_latency.json"
    kept = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = {(each["threads"], each["resolution"]): each for each in kept}
    for count in threads:
        models = {name: Model(path, threads=count) for name, path in paths.items()}
        for resolution in resolutions:
            rows[count, resolution] = row(models, resolution, count)
            print(rows[count, resolution])
            ordered = [rows[key] for key in sorted(rows)]
            write("recipe_latency", {"model": "DeiT-Tiny", "before": BEFORE, "rows": ordered})


if __name__ == "__main__":
    main()
