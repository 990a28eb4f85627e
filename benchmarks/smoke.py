"""Does a benchmark still run? With tiny settings, a small random model in DeiT-Tiny's place, and drawn pictures.

    python benchmarks/smoke.py attention parity
    python benchmarks/smoke.py training_speed --first-epoch    with words for the benchmark in place of those in WORDS

It needs no real data and writes nothing into the tree: what would go to benchmarks/results is only made. What it
prints is no figure of anything. `make check-long` runs each (tests/test_benchmarks.py).
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import record

CLASSES, RESOLUTION, VALIDATION, CALIBRATION = 1000, 224, 26, 4

FEW = (96, 128)


def _no_environment(_folder: Path, _extras: str) -> tuple[Path, dict[str, object]]:
    """In the place of `install`, which fetches packages: this Python, which has the runtime."""
    return Path(sys.executable), {}


# What makes each of them short: names of its module, or of another with that one's name, and values in their place.
TINY: dict[str, Mapping[str, Any]] = {
    "attention": {"TOKENS": (17,), "ROUNDS": 1, "PICTURES": 2, "CALIBRATION": 2},
    "attention_forms": {"RESOLUTIONS": FEW, "PICTURES": dict.fromkeys(FEW, 3), "SECONDS": 0.1},
    "for_devices": {"RESOLUTIONS": FEW},
    "parity": {},
    "curve": {"SECONDS": 0.1, "LADDER": (32, 48, 64, 80, 96)},
    "startup": {"RUNS": 1},
    "relabel": {"RUNS": 1, "MODELS": {"vit-nano": ("vit-nano", (32,))}, "LABELS": (3, 10)},
    "rectangles": {"PICTURES": 2, "SECONDS": 0.05},
    "runtime_budget": {"SECONDS": 0.2},
    "runtime_overhead": {"ROUNDS": 2, "SECONDS": 0.1},
    "box_decoding": {"ROUNDS": 2, "WARM_UP": 0},
    "recipe_latency": {"RESOLUTIONS": FEW, "SECONDS": 0.02, "ROUNDS": 2},
    "features": {
        "LADDER": FEW,
        "KNN_LADDER": FEW,
        "OPTIONS": {"layers": (1,), "attention": True},
        "COMPARED": ((96, False), ("128x96", True)),
    },
    "peaks": {"SIZES": ((17, 32, 64),), "RESOLUTIONS": FEW, "RUNS": 6},
    "recipes": {"SECONDS": 0.02},
    "ladder": {"LADDER": FEW, "SIXTEEN": (*FEW, 160), "PICTURES": 2, "REPEATS": 1},
    "max_drop": {
        "ISLANDS": ("float32",),
        "MAX_DROP_POINTS": 10.0,
        "SECONDS": 0.02,
        "converters.search.recipe_variants.SECONDS": 0.02,
    },
    "other_models": {
        "LADDER": (64, 96, 128, 160, 192),
        "SECONDS": 0.02,
        "DIALS": {"size_px": 32, "training": 64, "epochs": 1, "pictures": 4},
    },
    "quantization": {"EVERY": 13, "FACTOR": 8.0},
    "quantizer_algorithms": {"CALIBRATION": 2},
    "runtime_serve": {"SECONDS": 1, "WARM_UP_S": 1, "PICTURES": 2},
    "runtime_startup": {"ROUNDS": 1, "LADDER": (96, 224), "install": _no_environment},
    "shapes": {"SHAPES": {"ViT-S": (2, (64.0, 16.0), 13, 2)}},
    "measuring": {"SECONDS": 0.02, "LADDER": FEW, "RESOLUTIONS": FEW},
    "training_speed": {
        **{"ROUNDS": 1, "STEPS": 1, "BATCH": 4, "LADDER": FEW, "PHOTOS": 8, "HELD_OUT": 4},
        **{"VARIANT": "deit-smoke", "RESOLUTIONS": (96,)},
        "BY_ITSELF": (sys.executable, __file__, "training_speed", "--first-epoch"),
    },
    "gpu": {"PICTURES": 2},
    "gpu_ladders": {"PICTURES": 1, "LADDER": (48, 64)},
    "gpu_ops": {},
    "serve_fuzz": {"REQUESTS": 200, "HONEST_EVERY": 100},
    "self_test": {"LADDERS": {"deit-tiny": (96,)}},
    "together": {"RESOLUTIONS": FEW, "ROUNDS": 2, "SECONDS": 0.02},
    "dense_latency": {
        **{"VARIANT": "vit-nano", "RECIPES": ("int8",), "RESOLUTIONS": (96, "128x96")},
        **{"together.ROUNDS": 2, "together.SECONDS": 0.02},
    },
    "demo_dense": {
        **{"PICTURES": 20, "SIZE": 64, "HELD_OUT": 10, "HELD_OUT_SIZE": 64, "SHOWN": 1, "SECONDS": 0.05},
        **{"TRAINED": "64", "LADDER": "64,96", "EPOCHS": {"keypoints": 1, "segment": 1, "detect": 1}},
        "PICTURE": Path(os.devnull),
    },
    "pets": {"JUDGED": (64, "96x64"), "CURVE": (64, 80, 96, 112, 128), "SECONDS": 0.3},
    "blood_cells": {},
    "retrieval": {"LADDER": (64, 96), "ENROLLED": 3, "DRAWN_FROM": 8, "DRAWS": 2, "OTHERS": 4},
    "vector_search": {"SIZES": (10, 50), "GRAPH_FROM": 50, "QUERIES": 5, "ROUNDS": 2, "RESOLUTION": 96},
    "zero_shot": {
        **{"DRAWN": 24, "ASKED": 32, "RUNS": 1},
        "WORDS": ("--variant", "vit-nano", "--resolutions", "64", "--vector-width", "16"),
    },
    "keypoints": {"VARIANTS": ("vit-nano",), "PICTURES": 12, "SIZE": 64, "CALIBRATION": 10},
    "prediction": {"RECIPES": ("int8",), "MEASURED": ("vit-tiny", "vit-nano/8"), "SECONDS": 0.2},
}
TRAINED = ("--epochs", "1", "--batch", "4", "--resolutions", "64")
"""For `edgevit train`."""
WORDS: dict[str, Sequence[Sequence[str]]] = {
    "ladder": (("int8",),),
    "max_drop": ((), ("--time",)),
    "self_test": (("--recipes", "int8"),),
    "pets": (TRAINED, ("--only-latency", *TRAINED)),
    "retrieval": (TRAINED,),
    "zero_shot": (("--epochs", "1", "--batch", "8"),),
    "demo_dense": ((), ("--keep",)),
    "blood_cells": (TRAINED, ("--scratch", "--variant", "vit-nano", *TRAINED)),
    "keypoints": ((*TRAINED, "--pictures", "20"),),
    "gpu_ladders": (("int8",),),
    "gpu_ops": (("RSQRT",),),
}
"""Of its command line: those of each run, one after the other; none where it is not named here."""
NEEDS: dict[str, tuple[str, str]] = {
    "runtime_serve": ("wrk", "wrk"),
    "gpu": ("/usr/lib/chromium/vk_swiftshader_icd.json", "chromium"),
    "gpu_ladders": ("/usr/lib/chromium/vk_swiftshader_icd.json", "chromium"),
    "gpu_ops": ("/usr/lib/chromium/vk_swiftshader_icd.json", "chromium"),
}
"""Programs or files that not every machine has, and the Debian package they come with."""
NOT_RUN: dict[str, str] = {
    "ablation": "trains for hours; tests/training runs its parts",
    "arm_counts": "needs qemu-user, LLVM 19 and tools/arm64-root.sh; tests/test_arm_counting.py runs its parts",
    "arm_dense": "needs qemu-user, LLVM 19 and tools/arm64-root.sh; tests/test_arm_counting.py runs its parts",
    "arm_rates": "needs qemu-user, LLVM 19 and tools/arm64-root.sh; tests/test_arm_counting.py runs its parts",
    "checkpoints": "converts a model of each family; tests/checkpoints/test_references.py reads the same files",
    "demo": "reads what `make demo` made",
    "devices": "needs an ssh server",
    "flowers": "trains for hours",
    "fuzz": "tests/runtime/verify/test_fuzz.py runs its parts",
    "others": "needs MediaPipe, Vela or a browser",
    "peers": "needs the engines of the extra [peers]",
    "phone": "needs a phone",
    "serve_peers": "needs other servers",
    "screenshot": "needs Chromium and the demo",
    "smoke": "this",
    "tables": "writes the docs' tables; tests/test_readme.py holds them",
    "vela": "needs Vela",
}
"""What needs more than this machine's Python, and where its parts are tested."""


def missing(name: str) -> str | None:
    """What this machine lacks for a benchmark."""
    place, package = NEEDS.get(name, ("", ""))
    return None if not place or Path(place).is_file() or shutil.which(place) else f"no {place}: install {package}"


def stand_in(folder: Path, model: Any) -> None:
    """What the real data's folder holds, made up: as many files as it takes to be read, and what the model says."""
    names = [f"class {number}" for number in range(CLASSES)]
    (folder / "deit_tiny").mkdir(parents=True)
    (folder / "imagenet_classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    files = [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(VALIDATION)]
    draw(folder / "imagenet_val", files)
    draw(folder / "imagenet_calibration", files[:CALIBRATION])
    for split, count in (("train", 12), ("val", 2)):
        for kind in ("daisy", "rose"):
            draw(folder / "flowers" / split / kind, [f"{split}-{kind}-{number}.jpg" for number in range(count)])
    draw_dense(folder)
    logits = answered(model, folder / "imagenet_val", files)
    labels = logits.argmax(axis=1)
    rows = "".join(f"{name},{label}\n" for name, label in zip(files, labels, strict=True))
    (folder / "imagenet_val" / "labels.csv").write_text(f"file,class_index\n{rows}", encoding="utf-8")
    np.savez(folder / "imagenet_val" / "reference_logits.npz", files=np.array(files), logits=logits, labels=labels)


def draw(folder: Path, names: Sequence[str]) -> None:
    """Pictures of large spots, each its own, in a folder of their own."""
    folder.mkdir(parents=True)
    for name in names:
        random = np.random.default_rng(list(name.encode()))
        pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((256, 240)).save(folder / name, "JPEG")


def draw_dense(folder: Path) -> None:
    """Panels in the place of pets and of blood cells: what lies on them is the animal, and a cell each."""
    from edgevit.data.panels import CLASSES as THINGS
    from edgevit.data.panels import panel_set

    scenes = panel_set(12, 96, 0)
    names = [f"{number}.jpg" for number in range(len(scenes.images))]
    parts = ["val" if number % 3 == 0 else "train" for number in range(len(names))]
    pets, cells = folder / "pets_segmentation", folder / "blood_cells"
    for place in (pets / "images", pets / "masks", cells / "images"):
        place.mkdir(parents=True)
    masks = np.where(scenes.masks > 0, 1, 2).astype(np.uint8)
    masks[:, :4] = 3  # not classified
    for name, image, mask in zip(names, scenes.images, masks, strict=True):
        for place in (pets, cells):
            Image.fromarray(image).save(place / "images" / name)
        Image.fromarray(mask).save((pets / "masks" / name).with_suffix(".png"))
    split = [f"{name},{part}" for name, part in zip(names, parts, strict=True)]
    (pets / "split.csv").write_text("\n".join(["file,split", *split]) + "\n", encoding="utf-8")
    rows = [
        f"{name},{'test' if number % 4 == 1 else part},{','.join(f'{edge:.2f}' for edge in box)},{THINGS[index]}"
        for number, (name, part) in enumerate(zip(names, parts, strict=True))
        for box, index in zip(scenes.boxes[number], scenes.classes[number], strict=True)
    ]
    head = "file,split,xmin,ymin,xmax,ymax,class"
    (cells / "boxes.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def answered(model: Any, folder: Path, files: Sequence[str]) -> Any:
    """The model's logits for each picture."""
    from edgevit_runtime.preprocess.fitting import prepare as fitted

    images = np.stack([fitted(folder / name, RESOLUTION, "squash") for name in files])
    return np.asarray(model(images, training=False))


def small_model() -> Any:
    """In the place of DeiT-Tiny: its patches, heads and classes, half as wide and two blocks deep."""
    from dataclasses import replace

    from edgevit.model import build, named_weights
    from edgevit.variants import VARIANTS, variant_config

    VARIANTS["deit-smoke"] = replace(VARIANTS["deit-tiny"], width=96, depth=2)
    config = variant_config("deit-smoke", classes=CLASSES, base_resolution=RESOLUTION)
    model = build(config.with_(labels=tuple(f"class {number}" for number in range(CLASSES)), resize="squash"), seed=1)
    kernel = named_weights(model)["head/linear/kernel"]
    # A new head says nothing. This one is sure of a class, as int8-full's scores are steps of 1/256.
    kernel.assign(0.5 * np.random.default_rng(1).normal(size=kernel.shape).astype(np.float32))
    return model


def prepare(folder: Path) -> None:
    """From now on benchmarks take their data from here, build here, and write nothing."""
    from edgevit.model import save

    model = small_model()
    stand_in(folder / "data", model)
    os.environ["EDGEVIT_DATA"] = str(folder / "data")
    record.BUILD = folder / "build"  # before any benchmark takes it
    record.BUILD.mkdir()
    save(model, record.BUILD / "deit_tiny.keras")
    record.write = _written


def run(name: str, given: Sequence[str]) -> None:
    """One benchmark, to its end."""
    module = importlib.import_module(name)
    for setting, value in TINY[name].items():
        place, _, constant = setting.rpartition(".")
        holder = importlib.import_module(place) if place else module
        if not hasattr(holder, constant):
            sys.exit(f"{place or name} has no {constant} any more: mend TINY in benchmarks/smoke.py")
        setattr(holder, constant, value)
    for words in [given] if given else WORDS.get(name, [()]):
        sys.argv = [name, *words]
        module.main()


def _written(name: str, figures: dict[str, Any]) -> None:
    print(f"{name}: {len(json.dumps(figures))} characters of figures, not written")


def main() -> None:
    given = [word for word in sys.argv[1:] if word.startswith("-")]
    names = [word for word in sys.argv[1:] if word not in given] or list(TINY)
    for name in names:
        if name not in TINY:
            sys.exit(f"{name}: {NOT_RUN.get(name, 'not known')}; there is {', '.join(TINY)}")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        for name in names:
            if missing(name) and len(names) == len(TINY):
                print(f"{name}: {missing(name)}, not run")
            else:
                run(name, given)


if __name__ == "__main__":
    main()
