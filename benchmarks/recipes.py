"""What each recipe keeps and costs: DeiT-Tiny at 224, 1300 real pictures, all recipes timed in one interleaved run.

`python benchmarks/recipes.py int4` times all, and classifies with `int4` alone: the other artefacts, where their sizes
are those of benchmarks/results/recipes.json, keep what stands there. What was timed on processors with other int8
instructions stays, too: a row's `timed` has an entry for each kind. `python benchmarks/recipes.py int4 --untimed` times
nothing, and needs no other artefact.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.quantize.recipes import RECIPES
from deit_tiny import artefact
from edgevit_runtime import Model
from edgevit_runtime.measure.machine import describe
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.preprocess.fitting import prepare
from record import RESULTS, kind_of_processor, real_data, write

SECONDS = 6.0


def main() -> None:
    if "--untimed" in sys.argv:
        untimed([each for each in sys.argv[1:] if each != "--untimed"])
        return
    images, reference = pictures()
    paths = {recipe: artefact(recipe, (224,)) for recipe in RECIPES}
    paths["int4 without pictures"] = artefact("int4", (224,), without_pictures=True)
    models = {recipe: Model(path) for recipe, path in paths.items()}
    calls = {index: (lambda model=model: model.outputs(images[0])) for index, model in enumerate(models.values())}
    latency = dict(zip(models, measure(calls, seconds=SECONDS).values(), strict=True))
    before = json.loads((RESULTS / "recipes.json").read_text(encoding="utf-8"))
    kept = {row["recipe"]: row for row in before["rows"]}
    kind = kind_of_processor()
    timed_on = {**before["timed_on"], kind: {"cpu": describe("", "")["cpu"], "date": str(datetime.date.today())}}
    rows = []
    for recipe, model in models.items():
        found = kept.get(recipe, {})
        same = sys.argv[1:] and recipe not in sys.argv[1:] and found.get("size_bytes") == paths[recipe].stat().st_size
        if not same:
            answered = classified(model, images, reference)
            found = {**answered, "size_bytes": paths[recipe].stat().st_size, "timed": found.get("timed", {})}
        times = {
            "median_ms": round(latency[recipe].median_ms, 3),
            "runs": latency[recipe].runs,
            "times_faster_than_float32": round(latency["float32"].median_ms / latency[recipe].median_ms, 3),
        }
        rows.append({"recipe": recipe, **found, "timed": {**found["timed"], kind: times}})
        print(rows[-1], flush=True)
    figures = {"model": "DeiT-Tiny", "resolution": 224, "pictures": len(images), "threads": 1}
    write("recipes", {**figures, "timed_on": timed_on, "rows": rows})


def pictures() -> tuple[Any, Any]:
    """All that are validated with, uint8 [n, 224, 224, 3], and what was answered for them elsewhere."""
    folder = real_data() / "imagenet_val"
    reference = np.load(folder / "reference_logits.npz")
    return np.stack([prepare(folder / str(name), 224, "squash") for name in reference["files"]]), reference


def untimed(recipes: Sequence[str]) -> None:
    """Classifies with these alone."""
    before = json.loads((RESULTS / "recipes.json").read_text(encoding="utf-8"))
    images, reference = pictures()
    rows = {row["recipe"]: row for row in before["rows"]}
    for recipe in recipes:
        path = artefact(recipe, (224,))
        found = {**classified(Model(path), images, reference), "size_bytes": path.stat().st_size}
        rows[recipe] = {"recipe": recipe, **found, "timed": rows.get(recipe, {}).get("timed", {})}
        print(rows[recipe], flush=True)
    order = [*RECIPES, *(name for name in rows if name not in RECIPES)]
    kept = {key: before[key] for key in ("model", "resolution", "pictures", "threads", "timed_on")}
    write("recipes", {**kept, "rows": [rows[name] for name in order if name in rows]})


def classified(model: Model, images: Any, reference: Any) -> dict[str, Any]:
    scores = np.stack([model.outputs(image)["scores"] for image in images])
    votes = scores.argmax(1)
    best5 = np.argsort(-scores, axis=1)[:, :5]
    return {
        "partitions": model.manifest.signatures[0].partitions,
        "top1": float((votes == reference["labels"]).mean()),
        "top5": float((best5 == reference["labels"][:, None]).any(axis=1).mean()),
        "agreement_with_float": float((votes == reference["logits"].argmax(1)).mean()),
    }


if __name__ == "__main__":
    main()
