"""Reading gauges: a small ViT trained on drawn panels to find a needle's tip and centre, judged by others.

    python benchmarks/keypoints.py                        vit-nano and vit-micro, about 25 minutes on 2 cores
    python benchmarks/keypoints.py --only vit-nano        one of them; the other's figures stay as they are
    python benchmarks/keypoints.py --epochs 20            other words for `edgevit train`

The pictures are drawn: what is measured says how the tools behave, and nothing about pictures of the world.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from dense_runs import compiled, edgevit, judged, trained
from edgevit.model_inspection import inspect_model
from record import BUILD, RESULTS, write

FOLDER = BUILD / "keypoints"
VARIANTS = ("vit-nano", "vit-micro")
PICTURES, SIZE = 400, 224
SEED, CALIBRATING = 1000, 1001
"""Training draws with seeds of its own (0 and 1)."""
CALIBRATION = 100


def drawn(seed: int, pictures: int) -> Path:
    """Panels with one gauge each."""
    folder = FOLDER / f"gauges-{seed}"
    if not (folder / "classes.txt").exists():  # the last that is written
        shutil.rmtree(folder, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        edgevit("synthetic", folder, "--scene", "gauges", "--pictures", pictures, "--size", SIZE, "--seed", seed)
    return folder


def figures_of(variant: str, training: list[str]) -> dict[str, Any]:
    model = FOLDER / f"{variant}.keras"
    run = trained(model, "synthetic", "--task", "keypoints", "--variant", variant, *training)
    ladder = inspect_model(model)["config"]["ladder"]
    artefacts = compiled(model, ladder, drawn(CALIBRATING, CALIBRATION) / "images")
    words = ("--task", "keypoints", "--part", "all")
    return {"training": run, "evaluation": judged(model, artefacts, drawn(SEED, PICTURES), ladder, *words)}


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False, description="benchmarks/results/keypoints.json")
    parser.add_argument("--only", choices=VARIANTS, help="the others' figures stay as they are")
    options, training = parser.parse_known_args()
    earlier = RESULTS / "keypoints.json"
    models = json.loads(earlier.read_text(encoding="utf-8"))["models"] if earlier.exists() else {}
    for variant in [options.only] if options.only else VARIANTS:
        models[variant] = figures_of(variant, training)
        write("keypoints", {"near_share": 0.05, "models": models})


if __name__ == "__main__":
    main()
