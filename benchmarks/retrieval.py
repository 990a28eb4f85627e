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
from dense_runs import as_typed, edgevit, facts_of_run, trained
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


def judged(model: Path, artefact: Path) -> dict[str, Any]:
    """The float model and its `int8` artefact; rows by resolution."""
    command, found = evaluated(model, LADDER, artefact.with_suffix(".json"), "--against", artefact)
    rows = {"float": rows_of(found), "int8": rows_of(found["against"])}
    return {"command": command, "pictures": found["images"], **rows}


def across(artefact: Path) -> dict[str, Any]:
    """Asked at the smaller resolutions, among vectors of the largest."""
    words = ("--gallery-resolution", LADDER[-1])
    command, found = evaluated(artefact, LADDER[:-1], artefact.with_suffix(".across.json"), *words)
    return {"command": command, "gallery_resolution": LADDER[-1], "int8": rows_of(found)}


def evaluated(model: Path, ladder: Sequence[int], to: Path, *words: object) -> tuple[str, dict[str, Any]]:
    """The command, and the document that it writes, or has written since the artefact beside it was made."""
    flowers = real_data() / "flowers"
    resolutions = ("--resolutions", ",".join(map(str, ladder)), "--json", to, "--overwrite")
    typed = (
        "evaluate",
        model,
        flowers / "val",
        *words,
        "--task",
        "embed",
        "--gallery",
        flowers / "train",
        *resolutions,
    )
    if not to.exists() or to.stat().st_mtime < artefact_of(to).stat().st_mtime:
        edgevit(*typed)
    return as_typed(["edgevit", *map(str, typed)]), json.loads(to.read_text(encoding="utf-8"))


def artefact_of(document: Path) -> Path:
    return document.with_name(document.name.split(".")[0] + ".tflite")


def rows_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("resolution", *KEPT) if key in row} for row in document["results"]]


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
    model, words = options.model or FOLDER / "flowers.keras", training or WORDS
    FOLDER.mkdir(parents=True, exist_ok=True)
    ladder = ("--resolutions", ",".join(map(str, LADDER)))
    asked = (real_data() / "flowers" / "train", "--task", "embed", "--from", before, *ladder, *words)
    run = facts_of_run(model) if options.model else trained(model, *asked)
    figures: dict[str, Any] = {"model": "DeiT-Tiny", "training": run}
    for name, each in (("before", before), ("after", model)):
        artefact = FOLDER / f"{name}-int8.tflite"
        if not artefact.exists() or artefact.stat().st_mtime < each.stat().st_mtime:
            edgevit("convert", each, "-o", artefact, "--task", "embed", *ladder, "--overwrite")
        figures[name] = {"retrieval": judged(each, artefact), "across": across(artefact), "names": named(artefact)}
    write("retrieval", figures)


if __name__ == "__main__":
    main()
