"""Zero-shot: a small image-text model, trained here on drawn shapes, names combinations that no caption spoke of.

    python benchmarks/zero_shot.py                    a quarter of an hour on 2 cores, nearly all of it training
    python benchmarks/zero_shot.py --model s.keras    a model that is trained already, with s.run beside it
    python benchmarks/zero_shot.py --epochs 60        other words for `edgevit train`

Every picture shows one shape; asked is which of the 16 combinations that were left out it is, and which of all 56, of
which the model saw 40 in training.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dense_runs import edgevit, facts_of_run, trained
from edgevit.data.captioned_shapes import seen_and_unseen
from record import BUILD, write

FOLDER = BUILD / "zero_shot"
DRAWN, ASKED, SIZE = 6000, 640, 64
WORDS = ("--variant", "vit-nano/8", "--resolutions", str(SIZE), "--vector-width", "64")
TEMPLATES: Mapping[str, Sequence[str]] = {
    "one": ("a photo of a {}",),
    "averaged": ("a photo of a {}", "a {}", "a small {}", "a large {}"),
}
KEPT = ("resolution", "top1", "top1_margin", "top5", "agreement")
RUNS = 5


def drawn(folder: Path) -> tuple[Path, Path]:
    """The captioned pictures, and those of the combinations that they leave out."""
    seen, unseen = folder / "shapes", folder / "unseen"
    for place, scene, count, seed in ((seen, "shapes", DRAWN, 7), (unseen, "unseen-shapes", ASKED, 8)):
        if not place.is_dir():
            edgevit("synthetic", place, "--scene", scene, "--pictures", count, "--size", SIZE, "--seed", seed)
    return seen / "pairs.csv", unseen


def judged(model: Path, unseen: Path, labels: Path, templates: Sequence[str]) -> dict[str, Any]:
    """The float model with these labels, and its `int8` artefact."""
    options = [word for template in templates for word in ("--template", template)]
    artefacts = {recipe: model.with_name(f"{labels.stem}-{recipe}.tflite") for recipe in ("float32", "int8")}
    for recipe, path in artefacts.items():
        edgevit("convert", model, "-o", path, "--recipe", recipe, "--labels", labels, *options, "--overwrite")
    to = model.with_suffix(".evaluation.json")
    exact, small = artefacts.values()
    edgevit("evaluate", exact, unseen, "--against", small, "--json", to, "--overwrite")
    found = json.loads(to.read_text(encoding="utf-8"))
    sizes = {recipe: path.stat().st_size for recipe, path in artefacts.items()}

    def rows(document: dict[str, Any]) -> list[dict[str, Any]]:
        return [{key: row[key] for key in KEPT if key in row} for row in document["results"]]

    count = len(labels.read_text(encoding="utf-8").splitlines())
    return {
        "labels": count,
        "templates": list(templates),
        "pictures": found["images"],
        "size_bytes": sizes,
        "float": rows(found),
        "int8": rows(found["against"]),
    }


def relabelled(model: Path, labels: Path) -> dict[str, Any]:
    """Seconds of a whole `edgevit relabel`, those of the processor too; and whether the file passes its own test."""
    from edgevit_runtime import Model

    first, target = model.with_name("all-int8.tflite"), model.with_name("relabelled.tflite")
    times, busy = [], []
    for _ in range(RUNS + 1):  # the first fills the file cache
        shutil.copy(first, target)
        begun, before = time.perf_counter(), os.times()
        edgevit("relabel", target, "--labels", labels, "--text", model, "--quiet")
        after = os.times()
        times.append(time.perf_counter() - begun)
        busy.append(sum(after[2:4]) - sum(before[2:4]))  # of what was started, user and system
    with Model(target, weight_cache=False) as artefact:
        passed = artefact.self_test().passed
    return {
        "median_s": round(statistics.median(times[1:]), 3),
        "max_s": round(max(times[1:]), 3),
        "processor_s": round(statistics.median(busy[1:]), 3),
        "load_1min": round(os.getloadavg()[0], 1),
        "passed": passed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="benchmarks/results/zero_shot.json")
    parser.add_argument("--model", type=Path, help="trained already, with its .run folder beside it")
    options, training = parser.parse_known_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    pairs, unseen = drawn(FOLDER)
    model = options.model or FOLDER / "shapes.keras"
    run = facts_of_run(model) if options.model else trained(model, pairs, "--task", "image-text", *WORDS, *training)
    seen_names, unseen_names = seen_and_unseen()
    lists = {"unseen": unseen_names, "all": (*unseen_names, *seen_names)}
    files = {name: model.with_name(f"{name}.txt") for name in lists}
    for name, names in lists.items():
        files[name].write_text("\n".join(names) + "\n", encoding="utf-8")
    rows = [judged(model, unseen, files[name], templates) for name in lists for templates in TEMPLATES.values()]
    facts = {"combinations": {"seen": len(seen_names), "unseen": len(unseen_names)}, "drawn": DRAWN}
    write("zero_shot", {**facts, "training": run, "named": rows, "relabel": relabelled(model, files["unseen"])})


if __name__ == "__main__":
    main()
