"""Does a benchmark still run? With tiny settings, a small random model in DeiT-Tiny's place, and drawn pictures.

    python benchmarks/smoke.py attention parity

It needs no real data and writes nothing into the tree: what would go to benchmarks/results is only made. What it
prints is no figure of anything. `make check-long` runs each (tests/test_benchmarks.py).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import record

CLASSES, VALIDATION, CALIBRATION = 1000, 26, 4

# What makes each of them short: names of its module, and values in their place; words of its command line.
TINY: dict[str, Mapping[str, Any]] = {
    "attention": {"TOKENS": (17,), "ROUNDS": 1, "PICTURES": 2, "CALIBRATION": 2},
    "parity": {},
    "curve": {"SECONDS": 0.1, "LADDER": (32, 48, 64, 80, 96)},
    "startup": {"RUNS": 1},
    "rectangles": {"PICTURES": 2, "SECONDS": 0.05},
    "runtime_budget": {"SECONDS": 0.2},
    "runtime_overhead": {"ROUNDS": 2, "SECONDS": 0.1},
    "box_decoding": {"ROUNDS": 2, "WARM_UP": 0},
}
NOT_RUN: dict[str, str] = {
    **dict.fromkeys(
        (
            "recipe_latency",
            "features",
            "peaks",
            "recipes",
            "ladder",
            "max_drop",
            "other_models",
            "quantization",
            "quantizer_algorithms",
            "runtime_serve",
            "runtime_startup",
            "shapes",
            "measuring",
        ),
        "has no tiny settings yet",
    ),
    "ablation": "trains for hours; tests/training runs its parts",
    "checkpoints": "fetches checkpoints of others",
    "demo": "reads what `make demo` made",
    "devices": "needs an ssh server",
    "flowers": "trains for hours",
    "fuzz": "tests/runtime/verify/test_fuzz.py runs its parts",
    "others": "needs MediaPipe, Vela or a browser",
    "peers": "needs the engines of the extra [peers]",
    "phone": "needs a phone",
    "prediction": "measures for an hour; tests/latency/test_prediction.py has its parts",
    "serve_fuzz": "sends 50,000 requests; tests/runtime/serve sends some",
    "serve_peers": "needs other servers",
    "self_test": "needs Arm's processors, by qemu",
    "screenshot": "needs Chromium and the demo",
    "smoke": "this",
    "tables": "writes the docs' tables; tests/test_readme.py holds them",
    "training_speed": "trains for an hour",
    "vela": "needs Vela",
}
"""What needs more than this machine's Python, and where its parts are tested."""


def stand_in(folder: Path) -> Path:
    """What the real data's folder holds, made up: as many files as it takes to be read."""
    random = np.random.default_rng(0)
    names = [f"class {number}" for number in range(CLASSES)]
    (folder / "deit_tiny").mkdir(parents=True)
    (folder / "imagenet_classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    files = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(VALIDATION)]
    for where, chosen in (("imagenet_val", files), ("imagenet_calibration", files[:CALIBRATION])):
        (folder / where).mkdir()
        for name in chosen:
            pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).resize((256, 240)).save(folder / where / name, "JPEG")
    labels = random.integers(0, CLASSES, len(files))
    rows = "".join(f"{name},{label}\n" for name, label in zip(files, labels, strict=True))
    (folder / "imagenet_val" / "labels.csv").write_text(f"file,class_index\n{rows}", encoding="utf-8")
    logits = random.normal(size=(len(files), CLASSES)).astype(np.float32)
    np.savez(folder / "imagenet_val" / "reference_logits.npz", files=np.array(files), logits=logits, labels=labels)
    return folder


def small_model(path: Path) -> None:
    """In the place of DeiT-Tiny: its patches, heads and classes, three times narrower and two blocks deep."""
    from dataclasses import replace

    from edgevit.model import build, named_weights, save
    from edgevit.variants import VARIANTS, variant_config

    VARIANTS["deit-smoke"] = replace(VARIANTS["deit-tiny"], width=96, depth=2)
    config = variant_config("deit-smoke", classes=CLASSES, base_resolution=224)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = build(config.with_(labels=tuple(f"class {number}" for number in range(CLASSES)), resize="squash"), seed=1)
    kernel = named_weights(model)["head/linear/kernel"]
    kernel.assign(1000.0 * np.asarray(kernel))  # sure of what it says: int8-full's scores are steps of 1/256
    save(model, path)


def prepare(folder: Path) -> None:
    """From now on benchmarks take their data from here, build here, and write nothing."""
    os.environ["EDGEVIT_DATA"] = str(stand_in(folder / "data"))
    record.BUILD = folder / "build"  # before any benchmark takes it
    small_model(record.BUILD / "deit_tiny.keras")
    record.write = _written


def run(name: str) -> None:
    """One benchmark, to its end."""
    module = importlib.import_module(name)
    for setting, value in TINY[name].items():
        if not hasattr(module, setting):
            sys.exit(f"benchmarks/{name}.py has no {setting} any more: mend TINY in benchmarks/smoke.py")
        setattr(module, setting, value)
    sys.argv = [name]
    module.main()


def _written(name: str, figures: dict[str, Any]) -> None:
    print(f"{name}: {len(json.dumps(figures))} characters of figures, not written")


def main() -> None:
    names = sys.argv[1:] or list(TINY)
    for name in names:
        if name not in TINY:
            sys.exit(f"{name}: {NOT_RUN.get(name, 'not known')}; there is {', '.join(TINY)}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for name in names:
            run(name)


if __name__ == "__main__":
    main()
