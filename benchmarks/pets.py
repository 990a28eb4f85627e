"""What animals are and what is not: DeiT-Tiny trained to segment 480 photos of pets, judged by 120 others.

    python benchmarks/pets.py                                   about 40 minutes on 2 cores, 25 of them training
    python benchmarks/pets.py --resolutions 224,384             other words for `edgevit train`
    python benchmarks/pets.py --model pets.keras                a model that is trained already, with pets.run beside it
    python benchmarks/pets.py --no-latency                      on a machine that is busy
    python benchmarks/pets.py --only-latency                    on one that is not, by weights of one epoch: 5 minutes

Trains, converts to `int8` and `int8-static` (calibrated with training photos), measures mIoU at each resolution, and
the latency from 224 to 512 of the `segment` artefact beside one that gives the backbone's tokens alone (`features`), in
turns. The photos' border, 3 in their masks, does not count.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

from deit_tiny import keras_model
from dense_runs import compiled, edgevit, facts_of_run, judged, trained
from record import BUILD, real_data, write

FOLDER = BUILD / "pets"
MODEL = "DeiT-Tiny"
CLASSES = "1 animal\n2 background\n"
IGNORED = 3
JUDGED = (224, 320, 384, "384x224", 512)
CURVE = (224, 256, 320, 384, 448, 512)
SECONDS = 9.0
"""At most, of each resolution and artefact."""


def arranged() -> Path:
    """The photos as a folder of `train/` and `val/`, by split.csv; linked, where links can be."""
    folder, source = FOLDER / "pets", real_data() / "pets_segmentation"
    if not folder.exists():
        making = FOLDER / "making"
        shutil.rmtree(making, ignore_errors=True)
        with (source / "split.csv").open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                name = Path(row["file"])
                for kind, file in (("images", name), ("masks", name.with_suffix(".png"))):
                    to = making / row["split"] / kind / file
                    to.parent.mkdir(parents=True, exist_ok=True)
                    _link(source / kind / file, to)
        (making / "classes.txt").write_text(CLASSES, encoding="utf-8")
        making.rename(folder)
    return folder


def _link(file: Path, to: Path) -> None:
    try:
        os.link(file, to)
    except OSError:  # on another disk
        shutil.copyfile(file, to)


def latency(model: Path, artefact: Path) -> dict[str, Any]:
    """The head's share: `segment` beside the tokens of the same backbone, in turns."""
    backbone = model.with_name(f"{model.stem}-features.tflite")
    ladder = ",".join(map(str, CURVE))
    edgevit("convert", model, "-o", backbone, "--task", "features", "--resolutions", ladder, "--overwrite")
    to = model.with_suffix(".profile.json")
    words = ("--resolutions", ladder, "--seconds", SECONDS, "--json", to, "--overwrite")
    command = edgevit("profile", artefact, backbone, *words)
    profiles = json.loads(to.read_text(encoding="utf-8"))["profiles"]
    rows = [
        {
            "resolution": whole["resolution"],
            "tokens": whole["tokens"],
            "segment_ms": whole["latency_ms"],
            "features_ms": tokens["latency_ms"],
            "doubtful": [each["why"] for point in (whole, tokens) for each in point["doubtful"]],
        }
        for whole, tokens in zip(*(each["points"] for each in profiles), strict=True)
    ]
    curve = {key: profiles[0]["curve"][key] for key in ("a_ms", "b_ms_per_token", "c_ms_per_token2", "r2")}
    about = {"model": MODEL, "command": command, "recipe": "int8", "threads": profiles[0]["threads"]}
    return {**about, "rows": rows, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="benchmarks/results/pets.json, pets_latency.json")
    parser.add_argument("--model", type=Path, help="trained already, with its .run folder beside it")
    parser.add_argument("--no-latency", action="store_true", help="leave pets_latency.json")
    parser.add_argument("--only-latency", action="store_true", help="leave pets.json")
    options, training = parser.parse_known_args()
    data = arranged()
    words = (data, "--from", keras_model(), "--task", "segment", "--ignored", IGNORED, *training)
    if options.only_latency:  # no weight's value changes it
        model = options.model or FOLDER / "pets-1-epoch.keras"
        if not options.model:
            trained(model, *words, "--epochs", 1)
        write("pets_latency", latency(model, compiled(model, CURVE)["int8"]))
        return
    model = options.model or FOLDER / "pets.keras"
    run = facts_of_run(model) if options.model else trained(model, *words)
    artefacts = compiled(model, sorted({*map(str, JUDGED), *map(str, CURVE)}))
    evaluation = judged(model, artefacts, data, JUDGED, "--ignored", IGNORED)
    write("pets", {"model": MODEL, "training": run, "evaluation": evaluation})
    if not options.no_latency:
        write("pets_latency", latency(model, artefacts["int8"]))


if __name__ == "__main__":
    main()
