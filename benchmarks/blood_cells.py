"""Finding blood cells: DeiT-Tiny trained to detect on 205 pictures of BCCD, with no options, judged by its 72 of test.

    python benchmarks/blood_cells.py                     about 35 minutes on 2 cores, 30 of them training
    python benchmarks/blood_cells.py --scratch           the same without `--from`: about an hour
    python benchmarks/blood_cells.py --model cells.keras a model that is trained already, with cells.run beside it
    python benchmarks/blood_cells.py --epochs 30         other words for `edgevit train`

Either leaves the other's figures in benchmarks/results/blood_cells.json as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from deit_tiny import keras_model
from dense_runs import compiled, facts_of_run, judged, trained
from edgevit.model_inspection import inspect_model
from edgevit_runtime.resolution import as_resolution
from record import BUILD, RESULTS, real_data, write

FOLDER = BUILD / "blood_cells"
RUNS = ("from DeiT-Tiny", "from scratch")
BETWEEN = ("320x240", "384x288")
"""Judged besides the resolutions that were trained."""


def figures_of(model: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Of the test pictures, at the resolutions that it was trained for, and some between them."""
    data = real_data() / "blood_cells"
    ladder = sorted({*map(as_resolution, inspect_model(model)["config"]["ladder"]), *map(as_resolution, BETWEEN)})
    artefacts = compiled(model, ladder)
    return {"training": run, "evaluation": judged(model, artefacts, data, ladder, "--part", "test")}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="benchmarks/results/blood_cells.json")
    parser.add_argument("--model", type=Path, help="trained already, with its .run folder beside it")
    parser.add_argument("--scratch", action="store_true", help="without --from")
    options, training = parser.parse_known_args()
    name = RUNS[options.scratch]
    model = options.model or FOLDER / ("scratch.keras" if options.scratch else "cells.keras")
    start = () if options.scratch else ("--from", keras_model())
    run = facts_of_run(model) if options.model else trained(model, real_data() / "blood_cells", *start, *training)
    earlier = RESULTS / "blood_cells.json"
    models = json.loads(earlier.read_text(encoding="utf-8"))["models"] if earlier.exists() else {}
    models[name] = figures_of(model, run)
    write("blood_cells", {"models": {each: models[each] for each in RUNS if each in models}})


if __name__ == "__main__":
    main()
