"""Flowers found by their vectors: DeiT-Tiny as it is, and after `train --task embed`; then names without training.

    python benchmarks/retrieval.py                 about half an hour on 2 cores, half of it training
    python benchmarks/retrieval.py --model f.keras a model that is trained already, with f.run beside it
    python benchmarks/retrieval.py --epochs 8      other words for `edgevit train`, in the place of WORDS

Queries are the pictures of val, the gallery those of train. Training is judged by a tenth of train that it leaves out,
and never sees val. For names, 5 pictures of each flower are enrolled, drawn
ten times; the pictures of val are identified, and 200 of ImageNet's that are no flowers of the five kinds.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deit_tiny import keras_model
from dense_runs import edgevit, facts_of_run, trained
from edgevit_runtime import Model, PictureError, Resolution, VectorIndex
from record import BUILD, real_data, write

FOLDER = BUILD / "retrieval"
LADDER = (128, 160, 192, 224)
WORDS = ("--epochs", "4", "--precision", "mixed_bfloat16")
"""For `edgevit train`: what 2 cores do in a quarter of an hour."""
ENROLLED, DRAWN_FROM, DRAWS, OTHERS = 5, 100, 10, 200
DAISY = 985
"""Of ImageNet's classes the only one that is among the flowers."""
KEPT = ("recall_at_1", "recall_at_1_margin", "recall_at_5", "recall_at_10", "map", "knn_top1", "agreement")


def judged(model: Path, artefact: Path, gallery_resolution: int | None = None) -> dict[str, Any]:
    """The float model and its `int8` artefact; rows by resolution."""
    data, to = real_data() / "flowers", model.with_suffix(".evaluation.json")
    across = ("--gallery-resolution", gallery_resolution) if gallery_resolution else ()
    ladder = ("--resolutions", ",".join(map(str, LADDER)))
    words = ("--task", "embed", "--gallery", data / "train", *across, *ladder, "--json", to, "--overwrite")
    command = edgevit("evaluate", model, data / "val", "--against", artefact, *words)
    found = json.loads(to.read_text(encoding="utf-8"))

    def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
        kept = ("resolution", *KEPT)
        return [{key: row[key] for key in kept if key in row} for row in document["results"]]

    return {"command": command, "pictures": found["images"], "float": rows(found), "int8": rows(found["against"])}


def vectors_of(model: Model, files: Sequence[Path]) -> NDArray[np.float32]:
    found = model.embed_many([str(each) for each in files])
    return np.stack([each.vector for each in found if not isinstance(each, PictureError)])


def named(artefact: Path) -> dict[str, Any]:
    """Names of 5 pictures each: how many of the others are named rightly, and how many of other things are accepted."""
    flowers, draw = real_data() / "flowers", random.Random(0)
    classes = sorted(each.name for each in (flowers / "train").iterdir())
    pictures = real_data() / "imagenet_val"
    with open(pictures / "labels.csv", encoding="utf-8", newline="") as labels:
        others = [pictures / row["file"] for row in csv.DictReader(labels) if int(row["class_index"]) != DAISY]
    with Model(artefact) as model:
        known = {name: vectors_of(model, _some(flowers / "train" / name, DRAWN_FROM, draw)) for name in classes}
        asked = {name: vectors_of(model, sorted((flowers / "val" / name).iterdir())) for name in classes}
        strangers = vectors_of(model, draw.sample(others, OTHERS))
        resolution = str(model.manifest.default_resolution)
    rows = []
    for _ in range(DRAWS):
        names = np.repeat(classes, ENROLLED)
        vectors = np.concatenate([known[name][draw.sample(range(len(known[name])), ENROLLED)] for name in classes])
        index = VectorIndex(vectors, names, names, "", Resolution(224))
        enrolled = index.enrolled()
        found = [(name, enrolled.identify(each)) for name in classes for each in asked[name]]
        right = [answer.top[0].name == name for name, answer in found]
        refused = [bool(answer.none_of_these) for _, answer in found]
        rows.append(
            {
                "accuracy": float(np.mean(right)),
                "refused": float(np.mean(refused)),
                "right_of_answered": float(np.mean([each for each, no in zip(right, refused, strict=True) if not no])),
                "false_accepts": float(np.mean([not enrolled.identify(each).none_of_these for each in strangers])),
                "threshold": enrolled.threshold,
            }
        )
    keys = ("accuracy", "refused", "right_of_answered", "false_accepts", "threshold")
    means = {key: float(np.mean([row[key] for row in rows])) for key in keys}
    return {"enrolled": ENROLLED, "draws": DRAWS, "others": OTHERS, "resolution": resolution, **means, "rows": rows}


def _some(folder: Path, count: int, draw: random.Random) -> list[Path]:
    return draw.sample(sorted(folder.iterdir()), count)


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="benchmarks/results/retrieval.json")
    parser.add_argument("--model", type=Path, help="trained already, with its .run folder beside it")
    options, training = parser.parse_known_args()
    before = keras_model()
    model, words = (
        options.model or FOLDER / "flowers.keras",
        training or ["--epochs", "4", "--precision", "mixed_bfloat16"],
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    ladder = ("--resolutions", ",".join(map(str, LADDER)))
    asked = (real_data() / "flowers" / "train", "--task", "embed", "--from", before, *ladder, *words)
    run = facts_of_run(model) if options.model else trained(model, *asked)
    figures: dict[str, Any] = {"model": "DeiT-Tiny", "training": run}
    for name, each in (("before", before), ("after", model)):
        artefact = FOLDER / f"{name}-int8.tflite"
        edgevit("convert", each, "-o", artefact, "--task", "embed", *ladder, "--overwrite")
        found = {"retrieval": judged(each, artefact), "names": named(artefact)}
        figures[name] = {**found, "across": judged(each, artefact, LADDER[-1])["int8"]}
    write("retrieval", figures)


if __name__ == "__main__":
    main()
