"""What the dense heads cost on a Raspberry Pi 5's processor, by counts: DeiT-Tiny's shape and vit-micro in `int8`.

    tools/arm64-root.sh ROOT && python benchmarks/arm_dense.py ROOT       about 25 minutes, one core
    python benchmarks/arm_dense.py ROOT --models vit-micro --resolutions 224 --tasks segment
    python benchmarks/arm_dense.py ROOT --other "MoveNet Lightning at 192=movenet.tflite"

Each inference runs in an emulated Cortex-A76, and LLVM's model of its pipeline says how many cycles it takes: see
`arm.counting`, which names the packages that this needs. Each count is written as soon as it is there, and not made
again: a run may be stopped. Random weights: they take as many instructions as trained ones. The counts are without
decoding, which benchmarks/dense_latency.py times.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from arm.counting import check_tools, counted
from arm.models import alone
from arm.pipeline import PIPELINES
from dense_models import BACKBONE, TASKS, artefact
from edgevit_runtime.resolution import ResolutionLike, as_resolution
from record import BUILD, RESULTS, write

PROCESSOR = "cortex-a76"
MODELS = ("deit-tiny", "vit-micro")
RESOLUTIONS: tuple[ResolutionLike, ...] = (224, 384, "640x384")
RECIPE = "int8"
OTHERS = {
    "DeepLabV3-MobileNetV2, uint8 at 513": {"cycles": 793_000_000},
    "DeepLabV3-MobileNetV2 of half the width, uint8 at 513": {"cycles": 283_000_000},
    "MoveNet Lightning, int8 at 192": {"cycles": 28_000_000},
}
"""What people take instead: counted in the same way (LiteRT 2.3's interpreter, one inference) on files that are not
kept here; the uint8 files run without dot products."""


def kept() -> dict[str, Any]:
    path = RESULTS / "arm_dense.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(row: dict[str, Any] | None = None, others: dict[str, Any] | None = None) -> None:
    """Puts it in the place of the one of its kind."""
    earlier = kept()
    rows = {(each["model"], each["task"], str(each["resolution"])): each for each in earlier.get("rows", ())}
    if row is not None:
        rows[row["model"], row["task"], str(row["resolution"])] = row
        print(f"{row['model']} {row['task']} {row['resolution']}: {row['cycles'] / 1e6:.1f} Mcycles", flush=True)
    order = [(name, task, str(each)) for name in MODELS for each in RESOLUTIONS for task in (BACKBONE, *TASKS)]
    figures = {
        "processor": PROCESSOR,
        "pipeline": f"llvm-mca 19, {PIPELINES[PROCESSOR]}",
        "recipe": RECIPE,
        "threads": 1,
        "rows": [rows[key] for key in order if key in rows],
        "others": {**OTHERS, **earlier.get("others", {}), **(others or {})},
    }
    write("arm_dense", figures)


def main() -> None:
    parser = argparse.ArgumentParser(description="benchmarks/results/arm_dense.json")
    parser.add_argument("root", type=lambda text: Path(text).resolve(), help="made by tools/arm64-root.sh")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--tasks", nargs="+", default=(BACKBONE, *TASKS), choices=(BACKBONE, *TASKS))
    parser.add_argument("--resolutions", nargs="+", default=[str(each) for each in RESOLUTIONS])
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FILE", help="any .tflite file, besides")
    parser.add_argument("--again", action="store_true", help="count what was counted before, too")
    options = parser.parse_args()
    check_tools()
    BUILD.mkdir(parents=True, exist_ok=True)
    for each in options.other:
        name, _, file = each.partition("=")
        keep(others={name: counted(options.root, Path(file).resolve())})
    for name in options.models:
        path = artefact(name, RECIPE, RESOLUTIONS)
        for resolution in map(as_resolution, options.resolutions):
            for task in options.tasks:
                known = [(each["model"], each["task"], str(each["resolution"])) for each in kept().get("rows", ())]
                if (name, task, str(resolution)) in known and not options.again:
                    continue
                begun = time.perf_counter()
                signature = f"{task}_{resolution}"
                found = counted(options.root, alone(path, resolution, task), signature)
                seconds = round(time.perf_counter() - begun)
                row = {"model": name, "task": task, "resolution": resolution.to_json(), **found, "took_s": seconds}
                keep(row)


if __name__ == "__main__":
    main()
