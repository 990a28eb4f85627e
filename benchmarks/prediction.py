"""How well one profile predicts other shapes: fitted on DeiT-Tiny's shape alone, held against what others really take.

Random weights: latency does not depend on their values. Everything is timed in one process, in turn, in short bursts
round after round (`edgevit_runtime.measure.timing`), so that a slow minute falls on all; the machine should do
nothing else.

    python benchmarks/prediction.py --build      # makes the artefacts under build/benchmarks, minutes
    python benchmarks/prediction.py              # measures and writes results/prediction.json
    python benchmarks/prediction.py --again      # fits again to what the results hold, measures nothing
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edgevit.config import ViTConfig
from edgevit.documents import Record
from edgevit.latency.prediction import LatencyPredictor
from edgevit.latency.profile_document import assemble
from edgevit.variants import variant_config
from edgevit_runtime import Model
from edgevit_runtime.measure import profile, timing
from edgevit_runtime.measure.machine import describe
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from record import BUILD, RESULTS, write

RECIPES = ("int8", "float32")
FITTED = "vit-tiny"
SECONDS = 75.0
"""For all together, a recipe."""


def _custom(width: int, depth: int, heads: int) -> ViTConfig:
    return ViTConfig(width=width, depth=depth, heads=heads, classes=1000, mlp_width=4 * width)


SHAPES: dict[str, tuple[ViTConfig, tuple[int, ...]]] = {
    FITTED: (variant_config("vit-tiny"), (96, 128, 160, 192, 224, 288)),
    "vit-nano": (variant_config("vit-nano"), (96, 160, 224, 288)),
    "vit-micro": (variant_config("vit-micro"), (96, 160, 224)),
    "vit-tiny/8": (variant_config("vit-tiny/8"), (64, 96, 128)),
    "vit-tiny/32": (variant_config("vit-tiny/32"), (192, 320, 448)),
    "6 blocks of 192": (_custom(192, 6, 3), (96, 160, 224)),
    "8 blocks of 256": (_custom(256, 8, 4), (96, 160, 224)),
    "vit-small": (variant_config("vit-small"), (96, 160, 224)),
    "vit-nano/8": (variant_config("vit-nano/8"), (64, 128, 160)),
    "12 blocks of 96": (_custom(96, 12, 3), (96, 160, 224)),
    "10 blocks of 320": (_custom(320, 10, 5), (96, 160, 224)),
    "vit-small/32": (variant_config("vit-small/32"), (192, 320, 448)),
}
"""Name -> its shape and the resolutions that are measured."""
MEASURED = tuple(SHAPES)
UNSEEN = ("vit-nano/8", "12 blocks of 96", "10 blocks of 320", "vit-small/32")
"""Measured only once the cost model was as it is: nothing in it was chosen with these in view."""


def artefact(name: str, recipe: str) -> Path:
    path = BUILD / f"shape-{name.replace('/', '-').replace(' ', '_')}-{recipe}.tflite"
    if not path.exists():
        from converters import convert
        from edgevit.model import build

        BUILD.mkdir(parents=True, exist_ok=True)
        config, resolutions = SHAPES[name]
        convert(build(config, seed=0), path, recipe=recipe, resolutions=resolutions)
        print(f"built {path.name}", flush=True)
    return path


def measured() -> dict[str, list[dict[str, Any]]]:
    """Recipe -> a profile (edgevit.profile/1, without the curve) of each shape, all timed in turn."""
    found = {}
    for recipe in RECIPES:
        models = {name: Model(artefact(name, recipe), threads=1, weight_cache=False) for name in MEASURED}
        calls: dict[int, Callable[[], object]] = {}
        places: list[tuple[str, int]] = []
        for name, model in models.items():
            for resolution in SHAPES[name][1]:
                image = draw_picture(GENERATOR, 1, resolution)
                calls[len(places)] = partial(model.outputs, image)
                places.append((name, resolution))
        started = time.perf_counter()
        latencies = timing.measure(calls, seconds=SECONDS / len(calls))
        print(f"{recipe}: {len(calls)} points in {time.perf_counter() - started:.0f} s", flush=True)
        found[recipe] = [_document(name, models[name], places, latencies) for name in MEASURED]
        for model in models.values():
            model.close()
    return found


def _document(
    name: str, model: Model, places: list[tuple[str, int]], latencies: dict[int, timing.Latency]
) -> dict[str, Any]:
    points = [
        profile._point(model.manifest.signature(resolution), latencies[index], 0)
        for index, (owner, resolution) in enumerate(places)
        if owner == name
    ]
    return {
        "schema": "edgevit.profile/1",
        "device": describe(*model.backend),
        "model": name,
        "variant": SHAPES[name][0].variant,
        "patch": SHAPES[name][0].patch,
        "recipe": model.manifest.recipe,
        "threads": 1,
        "points": points,
    }


def errors(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each shape at each resolution that was not used for the fit: predicted, measured, the error."""
    profiles = {each["model"]: assemble(Record(each, each["model"])) for each in documents}
    predictor = LatencyPredictor([profiles[FITTED]])
    rows = []
    for name, each in profiles.items():
        for point in each.points if name != FITTED else ():
            estimate = predictor.predict(SHAPES[name][0], point.resolution)
            rows.append(
                {
                    "shape": name,
                    "resolution": point.resolution.to_json(),
                    "tokens": point.tokens,
                    "measured_ms": point.median_ms,
                    "predicted_ms": round(estimate.predicted_ms, 4),
                    "low_ms": round(estimate.low_ms, 4),
                    "high_ms": round(estimate.high_ms, 4),
                    "error": round(estimate.predicted_ms / point.median_ms - 1.0, 4),
                }
            )
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sizes = [abs(row["error"]) for row in rows]
    return {
        "pairs": len(rows),
        "median_error": round(statistics.median(sizes), 4),
        "worst_error": max(sizes),
        "within_range": sum(row["low_ms"] <= row["measured_ms"] <= row["high_ms"] for row in rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", action="store_true", help="only make the artefacts")
    parser.add_argument("--again", action="store_true", help="fit again to what was measured")
    chosen = parser.parse_args()
    for name in MEASURED:
        for recipe in RECIPES if not chosen.again else ():
            artefact(name, recipe)
    if chosen.build:
        return
    path = RESULTS / "prediction.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if chosen.again else None
    profiles = kept["profiles"] if kept else measured()
    rows = {recipe: errors(documents) for recipe, documents in profiles.items()}
    figures = {
        recipe: {**summary(each), "unseen": summary([row for row in each if row["shape"] in UNSEEN]), "rows": each}
        for recipe, each in rows.items()
    }
    for recipe, each in figures.items():
        print(recipe, {key: value for key, value in each.items() if key != "rows"})
        for row in each["rows"]:
            print(f"  {row['shape']:16} {row['resolution']:4} {row['measured_ms']:8.3f} {row['error']:+.1%}")
    if kept:  # machine and date are those of the measurement
        path.write_text(json.dumps({**kept, "recipes": figures}, indent=2) + "\n", encoding="utf-8")
    else:
        write("prediction", {"fitted_on": FITTED, "threads": 1, "recipes": figures, "profiles": profiles})


if __name__ == "__main__":
    main()
