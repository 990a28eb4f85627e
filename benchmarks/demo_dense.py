"""`make demo-dense`: a small ViT that reads gauges (points, masks, boxes), from nothing to a page with pictures.

    python benchmarks/demo_dense.py demo-dense           writes demo-dense/index.html, and beside it all that it shows
    python benchmarks/demo_dense.py demo-dense --keep    keeps what that measured: benchmarks/results/demo_dense.json
                                                         and docs/demo_dense.jpg

The backbone learns what asks most of it, where a needle's tip and centre are; the heads for masks and boxes are then
trained on it as it is (--freeze), so one file holds all three, and one pass answers them.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

import edgevit
from edgevit.report.charts.canvas import DARK, ROLES
from record import BUILD, ROOT, write

PICTURE = ROOT / "docs" / "demo_dense.jpg"
PICTURES, SIZE, SEED = 1100, 160, 1000
"""To learn from."""
HELD_OUT, HELD_OUT_SIZE, HELD_OUT_SEED = 200, 256, 2000
"""To judge by, and the first `SHOWN` of them to look at."""
SHOWN = 6
TRAINED, LADDER = "96,128,160", "96,112,128,144,160"
EPOCHS = {"keypoints": 16, "segment": 6, "detect": 10}
MOST_OVERLAP = 0.3
"""Of two boxes: gauges do not lie behind one another here."""
SECONDS = 1.0
"""The most to measure each task at each resolution."""


@dataclass(frozen=True)
class Head:
    """One task: its model's file, how that is trained, and what it is judged by."""

    task: str
    model: str
    training: str
    figures: dict[str, str]
    """Of the evaluation's results, and their names."""


HEADS = (
    Head("keypoints", "needle.keras", "--variant vit-nano --learning-rate 3e-3", {"pck": "PCK"}),
    Head("segment", "face.keras", "--from needle.keras --freeze", {"miou": "mIoU"}),
    Head("detect", "box.keras", "--from needle.keras --freeze --mosaic 0", {"ap50": "AP50", "ap": "AP"}),
)
PROFILED = {**{head.task: head.task for head in HEADS}, "all": "+".join(head.task for head in HEADS)}
"""Name -> task; the last is all from one pass."""
FIGURES = {key: name for head in HEADS for key, name in head.figures.items()}


def pictures_shown() -> list[str]:
    return [f"panel-{HELD_OUT_SEED}-{number:05d}" for number in range(SHOWN)]


def steps() -> list[str]:
    """What a user would type in the demo's folder."""
    models = " ".join(head.model for head in HEADS)
    shown = " ".join(f"held-out/images/{name}.png" for name in pictures_shown())
    return [
        f"edgevit synthetic gauges --scene gauges --pictures {PICTURES} --size {SIZE} --seed {SEED}",
        *(
            f"edgevit train gauges -o {head.model} --task {head.task} {head.training} --resolutions {TRAINED} "
            f"--epochs {EPOCHS[head.task]} --batch 16 --augmentation shift"
            for head in HEADS
        ),
        f"edgevit convert {models} -o gauges.tflite --resolutions {LADDER} --most-overlap {MOST_OVERLAP:g}",
        f"edgevit synthetic held-out --scene gauges --pictures {HELD_OUT} --size {HELD_OUT_SIZE} "
        f"--seed {HELD_OUT_SEED}",
        *(
            f"edgevit evaluate {head.model} held-out --task {head.task} --part all --resolutions {LADDER} "
            f"--against gauges.tflite --mistakes 4 --json {head.task}.evaluation.json"
            for head in HEADS
        ),
        *(
            f"edgevit profile gauges.tflite --task {task} --seconds {SECONDS:g} --json {name}.profile.json"
            for name, task in PROFILED.items()
        ),
        *(
            f"edgevit report {head.task}.profile.json {head.task}.evaluation.json -o {head.task}.html "
            f"--title 'gauges.tflite: {head.task}'"
            for head in HEADS
        ),
        *(f"edgevit-run {head.task} gauges.tflite {shown} --draw drawn" for head in HEADS),
        f"edgevit-run all gauges.tflite {shown}",
    ]


def run(step: str, folder: Path) -> str:
    """One of the steps; gives what it printed, which is shown as well."""
    program, *words = shlex.split(step)
    print(f"\n$ {step}", flush=True)
    command = [sys.executable, "-m", {"edgevit-run": "edgevit_runtime"}.get(program, program), *words]
    said = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            said.append(line)
    if running.returncode:
        sys.exit(running.returncode)
    return "".join(said)


def run_all(folder: Path) -> dict[str, Any]:
    """All steps: what they took, and what the last of them printed."""
    taken: list[dict[str, Any]] = []
    said = ""
    for step in steps():
        began = time.monotonic()
        said = run(step, folder)
        taken.append({"command": step, "seconds": round(time.monotonic() - began, 1)})
    times = os.times()
    busy_s = times.children_user + times.children_system
    return {
        "steps": taken,
        "seconds": round(sum(each["seconds"] for each in taken)),
        "processor_seconds": round(busy_s),
        "answers": said,
    }


def loaded(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def measured(folder: Path) -> dict[str, Any]:
    """By resolution: the figures of the float models and of the artefact, and what each task takes."""
    evaluations = [(head, loaded(folder, f"{head.task}.evaluation")) for head in HEADS]
    profiles = {name: loaded(folder, f"{name}.profile") for name in PROFILED}
    rows = []
    for place, point in enumerate(profiles["all"]["points"]):
        row: dict[str, Any] = {"resolution": point["resolution"], "tokens": point["tokens"]}
        for kind in ("float", "int8"):
            found = [(head, each if kind == "float" else each["against"]) for head, each in evaluations]
            row[kind] = {key: each["results"][place][key] for head, each in found for key in head.figures}
        row["ms"] = {name: each["points"][place]["latency_ms"]["median"] for name, each in profiles.items()}
        rows.append(row)
    return {
        "pictures": HELD_OUT,
        "size_bytes": (folder / "gauges.tflite").stat().st_size,
        "threads": profiles["all"]["threads"],
        "rows": rows,
    }


def page(folder: Path, taken: dict[str, Any]) -> str:
    """In the style of a report."""
    places = [Path(__file__).parent, Path(edgevit.__file__).parent / "report" / "html"]
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(places),
    )
    return environment.get_template("demo_dense.html.jinja").render(
        heads=HEADS,
        figures=FIGURES,
        pictures=pictures_shown(),
        measured=measured(folder),
        cpu=loaded(folder, "all.profile")["device"]["cpu"],
        taken=taken,
        light=ROLES,
        dark=DARK,
    )


def side_by_side(folder: Path, names: Sequence[str]) -> Image.Image:
    """A row a picture: as it is, and as each task draws it."""
    whole = Image.new("RGB", (HELD_OUT_SIZE * (1 + len(HEADS)), HELD_OUT_SIZE * len(names)))
    for row, name in enumerate(names):
        for column, each in enumerate((f"held-out/images/{name}", *(f"drawn/{name}.{head.task}" for head in HEADS))):
            with Image.open(folder / f"{each}.png") as picture:
                whole.paste(picture, (HELD_OUT_SIZE * column, HELD_OUT_SIZE * row))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="A demo of points, masks and boxes")
    parser.add_argument("folder", nargs="?", type=Path, default=BUILD / "demo-dense")
    parser.add_argument("--keep", action="store_true", help="keep what an earlier call measured")
    options = parser.parse_args()
    folder: Path = options.folder
    if options.keep:
        side_by_side(folder, pictures_shown()[:3]).save(PICTURE, "JPEG", quality=88)
        write("demo_dense", {**measured(folder), "taken": {**loaded(folder, "taken"), "answers": ""}})
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    taken = run_all(folder)
    (folder / "taken.json").write_text(json.dumps(taken, indent=1), encoding="utf-8")
    (folder / "index.html").write_text(page(folder, taken), encoding="utf-8")
    print(f"\nwrote {folder / 'index.html'}")


if __name__ == "__main__":
    main()
