"""Fine-tuning DeiT-Tiny on 2934 photos of flowers: at one resolution as everybody does it, and at all of the ladder.

`python benchmarks/flowers.py mixed plain qat` makes what is named (default: all), each by the commands that it prints
and records, then measures every model and its artefacts on the 736 validation photos at each resolution.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deit_tiny import keras_model
from edgevit.report.charts.training_charts import confusion_png, curves_png
from edgevit.report.text.training_history import history_csv
from record import BUILD, RESULTS, real_data, write

MEASURED = "96,128,160,192,224,256"
LADDER = "128,160,192,224"
FINE_TUNE = "--from {start} --epochs 5 --precision mixed_bfloat16"

# name -> (options of `edgevit train`, recipe of the artefact, whether it needs pictures to calibrate with)
MODELS: dict[str, tuple[str, str, bool]] = {
    "mixed": (f"{FINE_TUNE} --resolutions {LADDER}", "int8", False),
    "plain": (f"{FINE_TUNE} --resolutions 224", "int8", False),
    "mixed-int8-full": ("", "int8-full", True),
    "qat": (f"--from {{mixed}} --qat int8-full --resolutions {LADDER} --epochs 1", "int8-full", False),
}


def command(*words: object) -> tuple[list[str], float]:
    """Runs `edgevit …`; gives the words as a user would type them, and the seconds."""
    typed = ["edgevit", *map(str, words)]
    print("$", shlex.join(typed), flush=True)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", *typed], check=True)
    return [
        word.replace(f"{real_data()}/", "").replace(f"{BUILD}/flowers/", "") for word in typed
    ], time.perf_counter() - begun


def make(name: str) -> dict[str, Any]:
    """Trains, converts and evaluates one row of `MODELS`."""
    folder, flowers = BUILD / "flowers", real_data() / "flowers"
    folder.mkdir(parents=True, exist_ok=True)
    options, recipe, calibrated = MODELS[name]
    start = folder / "deit_tiny.keras"
    if not start.exists():
        shutil.copy(keras_model(), start)
    result: dict[str, Any] = {"name": name, "recipe": recipe}
    model = folder / f"{name if options else 'mixed'}.keras"
    if options:
        words = options.format(start=start, mixed=folder / "mixed.keras").split()
        typed, seconds = command("train", flowers, "-o", model, *words, "--overwrite")
        run = model.with_suffix(".run")
        load = round(os.getloadavg()[0], 1)
        document = json.loads((run / "summary.json").read_text())
        result |= {"command": shlex.join(typed), "seconds": round(seconds), "load_1min": load}
        result |= {key: document[key] for key in ("epochs", "best_epoch", "classes", "confusion")}
        kept = RESULTS / "flowers" / name
        kept.mkdir(parents=True, exist_ok=True)
        named = {**document, "model": model.name}  # the pictures' titles without this machine's folders
        (kept / "history.csv").write_text(history_csv(document["epochs"]))
        (kept / "curves.png").write_bytes(curves_png(named))
        (kept / "confusion.png").write_bytes(confusion_png(named))
    artefact = folder / f"{name}.tflite"
    extra = ("--calibration", flowers / "train") if calibrated else ()
    typed, _ = command("convert", model, "-o", artefact, "--recipe", recipe, "--resolutions", MEASURED, *extra)
    evaluation = folder / f"{name}.json"
    measured = ("--resolutions", MEASURED, "--threads", 2, "--json", evaluation)
    command("evaluate", model, flowers / "val", "--against", artefact, *measured)
    return {**result, "convert": shlex.join(typed), "evaluation": json.loads(evaluation.read_text())}


def main() -> None:
    path = RESULTS / "flowers.json"
    before = json.loads(path.read_text())["models"] if path.exists() else []
    models = {each["name"]: each for each in before}
    for name in sys.argv[1:] or MODELS:
        models[name] = make(name)
        for part in (models[name]["evaluation"], models[name]["evaluation"]["against"]):
            part["model"] = Path(part["model"]).name
        models[name]["evaluation"]["data"] = "flowers/val"
        write(
            "flowers", {"model": "DeiT-Tiny", "pictures": {"train": 2934, "val": 736}, "models": list(models.values())}
        )


if __name__ == "__main__":
    main()
