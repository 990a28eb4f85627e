"""Models with dense heads, trained, compiled and judged by the commands that a user types, for pets, cells and gauges.

What takes minutes is made once and kept under build/benchmarks: remove a file there, and it is made again. A training
run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.picture_record import PictureRecord
from edgevit.statistics import mean_margin
from edgevit.training.state import FILE as STATE

RECIPES = ("int8", "int8-static")
KEPT_OF_A_RUN = ("preset", "variant", "parameters", "images", "seconds", "best_epoch", "metric", "results")


def edgevit(*words: object) -> str:
    """Runs `edgevit …`; gives the command as a user would type it."""
    typed = ["edgevit", *map(str, words)]
    print("$", shlex.join(typed), flush=True)
    done = subprocess.run([sys.executable, "-m", *typed])
    if done.returncode:
        sys.exit(done.returncode)
    return as_typed(typed)


def as_typed(words: Sequence[str]) -> str:
    """Without this machine's folders, and what matters to nobody else."""
    return shlex.join(_short(word) for word in words if word not in ("--overwrite", "--resume"))


def _short(word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return "/".join(path.parts[-2:]) if path.parent.suffix == ".run" else path.name


def trained(model: Path, *words: object) -> dict[str, Any]:
    """The run's figures, and the command. words: what follows `edgevit train`, besides the output."""
    run, kept = model.with_suffix(".run"), model.with_suffix(".command.json")
    command = ("train", words[0], "-o", model, *words[1:])
    asked = as_typed(["edgevit", *map(str, command)])
    if kept.is_file() and (made := json.loads(kept.read_text(encoding="utf-8"))["command"]) != asked:
        sys.exit(f"{model} was made by\n  {made}\nremove it and {run.name}, {kept.name} beside it, to make it anew")
    if not (run / "summary.json").is_file() or not model.is_file():
        model.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"command": asked}), encoding="utf-8")
        edgevit(*command, *(("--resume",) if (run / STATE).is_file() else ()))
        kept.write_text(json.dumps({"command": asked, "load_1min": round(os.getloadavg()[0], 1)}), encoding="utf-8")
    return facts_of_run(model)


def facts_of_run(model: Path) -> dict[str, Any]:
    """Of a model that `edgevit train` made: what its run's summary says, and by what command where we gave it."""
    run, kept = model.with_suffix(".run"), model.with_suffix(".command.json")
    if not (run / "summary.json").is_file():
        sys.exit(f"{model} has no finished run beside it ({run.name}): give a model that `edgevit train` made")
    document = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    metric = document["metric"]
    epochs = [{"epoch": each["epoch"], metric: each[metric], "seconds": each["seconds"]} for each in document["epochs"]]
    facts = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    return {**facts, **{key: document[key] for key in KEPT_OF_A_RUN}, "epochs": epochs}


def compiled(model: Path, resolutions: Sequence[object], calibration: Path | None = None) -> dict[str, Path]:
    """Recipe -> artefact, made anew where the model is newer.

    calibration: pictures for recipes with static ranges; None: those that the model's run trained on.
    """
    calibration = calibration or model.with_suffix(".run") / "split.csv"
    made = {}
    for recipe in RECIPES:
        made[recipe] = path = model.with_name(f"{model.stem}-{recipe}.tflite")
        if not path.exists() or path.stat().st_mtime < model.stat().st_mtime:
            pictures = ("--calibration", calibration) if recipe != "int8" else ()
            ladder = ("--resolutions", _ladder(resolutions)) if resolutions else ()
            edgevit("convert", model, "-o", path, "--recipe", recipe, *ladder, *pictures, "--overwrite")
    return made


def judged(
    model: Path, artefacts: Mapping[str, Path], data: Path, resolutions: Sequence[object], *words: object
) -> dict[str, Any]:
    """How right the float model and its artefacts are: rows by resolution, each with the metric's margin (95 %)."""
    to = model.with_suffix(".evaluation.json")
    against = [word for path in artefacts.values() for word in ("--against", path)]
    ladder = ("--resolutions", _ladder(resolutions)) if resolutions else ()
    command = edgevit("evaluate", model, data, *against, *ladder, *words, "--json", to, "--overwrite")
    found = json.loads(to.read_text(encoding="utf-8"))
    documents = [found, found["against"], *found.get("also_against", ())]
    by_name = zip(("float", *artefacts), documents, strict=True)
    names = found.get("labels") or found.get("points")
    about = {"command": command, "pictures": found["images"], "names": names, "assumed": len(found["assumed"])}
    rows = {name: [_row(each, found) for each in document["results"]] for name, document in by_name}
    return {**about, "rows": rows}


def _row(result: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """With half the width of the metric's interval in the place of what each picture contributed."""
    row = {key: value for key, value in result.items() if key != "by_picture"}
    if "by_picture" in result:
        record = PictureRecord(document["pictures_sha256"], document["images"], result["by_picture"])
        row["margin"] = mean_margin(record.contributions.astype(np.float64))
    return row


def _ladder(resolutions: Sequence[object]) -> str:
    return ",".join(map(str, resolutions))
