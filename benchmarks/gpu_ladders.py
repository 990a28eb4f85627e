"""Whether LiteRT's GPU accelerator runs every task under every recipe, at three resolutions: a small model, whole.

It is the WebGPU accelerator of ai-edge-litert on a Vulkan in software (Debian's chromium): it tells whether a GPU
computes rightly, in float32 and in half precision, not how fast. All of a file runs there, or it is refused. Not
tried: int4, whose scales by blocks damage LiteRT's own memory there. Real weights: benchmarks/gpu.py.
`python benchmarks/gpu_ladders.py int8 float16` asks for those alone: the others keep what stands in
benchmarks/results/gpu_ladders.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.quantize.recipes import RECIPES, get_recipe
from edgevit_runtime import Model
from edgevit_runtime.engines.gpu_trial import refusal
from edgevit_runtime.resolution import Resolution
from record import BUILD, RESULTS, write
from support.gpu_accelerator import SOFTWARE_VULKAN, with_vulkan
from support.sample_pictures import pictures_in

LADDER, PICTURES = (48, 64, 96), 3
"""Positions are learned at the middle one, and resampled at the others."""
TASKS = ("classify", "features", "embed", "segment", "detect", "keypoints")
PRECISIONS = ("float32", "float16")
NOT_TRIED = "int4"
RESULT = RESULTS / "gpu_ladders.json"
LIMIT_S = 3600.0
"""A net for what hangs."""

Answers = dict[str, dict[str, NDArray[Any]]]
"""Signature -> output -> [pictures, ...]."""
Pictures = dict[str, Any]
"""Signature -> uint8 [pictures, H, W, 3]."""


def main() -> None:
    if not SOFTWARE_VULKAN.is_file():
        sys.exit(f"this needs a Vulkan in software, {SOFTWARE_VULKAN}: apt-get install chromium")
    tried = [each for each in RECIPES if each != NOT_TRIED]
    for recipe in sys.argv[1:] or tried:
        rows = [*_of(recipe)]
        for row in rows:
            print(row, flush=True)
        before = json.loads(RESULT.read_text(encoding="utf-8"))["rows"] if RESULT.is_file() else []
        every = {each: rows if each == recipe else [row for row in before if row["recipe"] == each] for each in tried}
        figures = {"adapter": "SwiftShader", "precisions": PRECISIONS, "pictures": PICTURES}
        write("gpu_ladders", {**figures, "rows": [row for each in every.values() for row in each]})


def _of(recipe: str) -> Iterator[dict[str, Any]]:
    """A row a signature: the largest difference of each output, as a share of its largest number."""
    path = _all_tasks(recipe)
    with Model(path) as model:
        sizes = {each.name: each.resolution for each in model.manifest.signatures}
    random = np.random.default_rng(0)
    pictures = {
        name: random.integers(0, 256, (PICTURES, size.height, size.width, 3), np.uint8) for name, size in sizes.items()
    }
    here, there = _answers(path, pictures, "cpu"), {each: _on_the_gpu(path, pictures, each) for each in PRECISIONS}
    for name, right in here.items():
        row: dict[str, Any] = {"recipe": recipe, "signature": name}
        for precision, found in there.items():
            if isinstance(found, str):
                row["refused"] = found
                continue
            row[precision] = {
                output: float(f"{np.abs(found[name][output] - values).max() / np.abs(values).max():.3g}")
                for output, values in right.items()
            }
        yield row


def _all_tasks(recipe: str) -> Path:
    """A small model with a head of each kind, each task by itself."""
    path = BUILD / f"gpu-ladders-{recipe}.tflite"
    if not path.exists():
        from converters import convert
        from edgevit.config import ViTConfig
        from edgevit.dense_head import DenseHead
        from edgevit.model import build, named_weights

        heads = tuple(DenseHead(task, 3, width=16) for task in ("segment", "detect", "keypoints"))
        shape = ViTConfig(
            width=32, depth=3, heads=2, mlp_width=128, classes=4, patch=16, base_resolution=Resolution(64)
        )
        BUILD.mkdir(parents=True, exist_ok=True)
        model = build(shape.with_(dense_heads=heads, resize="squash"), seed=1)
        noise = np.random.default_rng(1)  # a head begins with zeros, which say nothing
        for variable in named_weights(model).values():
            variable.assign(np.asarray(variable) + noise.normal(0.0, 0.1, variable.shape).astype(np.float32))
        pictures = None
        if get_recipe(recipe).needs_calibration:
            pictures = pictures_in(BUILD / "gpu-ladders-pictures", 16)
        convert(model, path, recipe=recipe, task=TASKS, resolutions=LADDER, joint=False, calibration=pictures)
    return path


def _on_the_gpu(path: Path, pictures: Pictures, precision: str) -> Answers | str:
    """In a process of its own, all of it; why it is refused, where it is."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "pictures.npz", Path(folder) / "answers.npz"
        np.savez(given, **pictures)
        command = [sys.executable, __file__, "--answer", str(path), str(given), str(found), f"gpu-{precision}"]
        env = {**with_vulkan(Path(folder)), "EDGEVIT_NATIVE_LOG": "1"}
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, errors="replace", check=False, timeout=LIMIT_S
        )
        if done.returncode:
            return refusal(done.stderr, done.stderr[-1000:]).why
        answers: Answers = {}
        with np.load(found) as stored:
            for key in stored.files:
                signature, output = key.split("/")
                answers.setdefault(signature, {})[output] = stored[key]
        return answers


def _answers(path: Path, pictures: Pictures, accelerator: str) -> Answers:
    answers: Answers = {}
    with Model(path, accelerator=accelerator, weight_cache=False) as model:
        for signature in model.manifest.signatures:
            found = [model.run_signature(signature, picture) for picture in pictures[signature.name]]
            answers[signature.name] = {name: np.stack([each[name] for each in found]) for name in found[0]}
    return answers


def _answer(path: str, given: str, target: str, accelerator: str) -> None:
    with np.load(given) as stored:
        pictures: Pictures = {name: stored[name] for name in stored.files}
    answers = _answers(Path(path), pictures, accelerator)
    flat: dict[str, Any] = {
        f"{name}/{output}": values for name, each in answers.items() for output, values in each.items()
    }
    np.savez(target, **flat)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--answer"]:
        _answer(*sys.argv[2:])
    else:
        main()
