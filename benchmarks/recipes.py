"""What each recipe keeps and costs: DeiT-Tiny at 224, 1300 real pictures, all recipes timed in one interleaved run.

`python benchmarks/recipes.py int4` times all, and classifies with `int4` alone: the other artefacts, where their sizes
are those of benchmarks/results/recipes.json, keep what stands there.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from deit_tiny import artefact
from edgevit.converters.recipes import RECIPES
from edgevit_runtime import Model
from edgevit_runtime.preprocess import prepare
from edgevit_runtime.timing import measure
from record import RESULTS, real_data, write

SECONDS = 6.0


def main() -> None:
    folder = real_data() / "imagenet_val"
    reference = np.load(folder / "reference_logits.npz")
    images = np.stack([prepare(folder / str(name), 224, "squash") for name in reference["files"]])
    paths = {recipe: artefact(recipe, (224,)) for recipe in RECIPES}
    paths["int4 without pictures"] = artefact("int4", (224,), without_pictures=True)
    models = {recipe: Model(path) for recipe, path in paths.items()}
    calls = {index: (lambda model=model: model.outputs(images[0])) for index, model in enumerate(models.values())}
    latency = dict(zip(models, measure(calls, seconds=SECONDS).values(), strict=True))
    kept = {}
    if named := sys.argv[1:]:
        before = json.loads((RESULTS / "recipes.json").read_text(encoding="utf-8"))["rows"]
        kept = {row["recipe"]: row for row in before if row["recipe"] not in named}
    rows = []
    for recipe, model in models.items():
        times = {
            "median_ms": round(latency[recipe].median_ms, 3),
            "runs": latency[recipe].runs,
            "times_faster_than_float32": round(latency["float32"].median_ms / latency[recipe].median_ms, 3),
        }
        if recipe in kept and kept[recipe]["size_bytes"] == paths[recipe].stat().st_size:
            rows.append({**kept[recipe], **times})
            continue
        scores = np.stack([model.outputs(image)["scores"] for image in images])
        votes = scores.argmax(1)
        best5 = np.argsort(-scores, axis=1)[:, :5]
        rows.append(
            {
                "recipe": recipe,
                "size_bytes": paths[recipe].stat().st_size,
                "partitions": model.manifest.signatures[0].partitions,
                "top1": float((votes == reference["labels"]).mean()),
                "top5": float((best5 == reference["labels"][:, None]).any(axis=1).mean()),
                "agreement_with_float": float((votes == reference["logits"].argmax(1)).mean()),
                **times,
            }
        )
        print(rows[-1])
    write("recipes", {"model": "DeiT-Tiny", "resolution": 224, "pictures": len(images), "threads": 1, "rows": rows})


if __name__ == "__main__":
    main()
