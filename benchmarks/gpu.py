"""What LiteRT's GPU accelerator answers for each recipe, against the CPU: DeiT-Tiny at 224, real pictures.

It is the WebGPU accelerator of ai-edge-litert on a Vulkan in software (Debian's chromium): it tells whether a GPU
computes rightly, not how fast. Not tried: int4, whose scales by blocks damage LiteRT's own memory there.
`python benchmarks/gpu.py int8-full` asks for that alone: the others keep what stands in benchmarks/results/gpu.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.quantize.recipes import RECIPES
from deit_tiny import artefact
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from record import RESULTS, real_data, write
from support.gpu_accelerator import SOFTWARE_VULKAN, RefusedError, answers

RESOLUTION, PICTURES = 224, 24
NOT_TRIED = "int4"
UNSUPPORTED = " is not supported"
"""How LiteRT ends what it says of each op that it refuses; the op's name comes behind it."""


def main() -> None:
    if not SOFTWARE_VULKAN.is_file():
        sys.exit(f"this needs a Vulkan in software, {SOFTWARE_VULKAN}: apt-get install chromium")
    every = sorted((real_data() / "imagenet_val").glob("*.JPEG"))
    files = every[:: max(1, len(every) // PICTURES)][:PICTURES]
    images = np.stack([prepare(file, RESOLUTION, "squash") for file in files])
    kept = {}
    if sys.argv[1:]:
        before = json.loads((RESULTS / "gpu.json").read_text(encoding="utf-8"))
        kept = {row["recipe"]: row for row in before["rows"] if row["recipe"] not in sys.argv[1:]}
    rows = []
    for recipe in RECIPES:
        if recipe != NOT_TRIED:
            found = kept.get(recipe) or {"recipe": recipe, **_compared(artefact(recipe, (RESOLUTION,)), images)}
            rows.append(found)
            print(rows[-1], flush=True)
    write("gpu", {"model": "DeiT-Tiny", "resolution": RESOLUTION, "pictures": len(images), "rows": rows})


def _compared(path: Path, images: NDArray[np.uint8]) -> dict[str, Any]:
    """Scores there and here, and how often the class is the same."""
    signature = f"classify_{RESOLUTION}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            there = answers(path, {signature: images}, Path(folder))[signature]["scores"]
        except RefusedError as error:
            reasons = [line.partition(UNSUPPORTED) for line in str(error).splitlines()]
            return {"refused": next((f"{op}{why}" for op, why, _ in reasons if why), "by LiteRT")}
    with Model(path) as model:
        here = np.stack([model.outputs(image)["scores"] for image in images])
    if there.dtype == np.int8:
        there = (there.astype(np.float32) + 128.0) / 256.0  # the scale that a softmax has
    return {
        "max_score_difference": round(float(np.abs(there - here).max()), 6),
        "mean_top_score": round(float(here.max(axis=1).mean()), 3),
        "same_class": int((there.argmax(axis=1) == here.argmax(axis=1)).sum()),
    }


if __name__ == "__main__":
    main()
