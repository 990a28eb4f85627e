"""A single-resolution artefact in other people's tools: do they answer as our runtime does? DeiT-Tiny at 224.

MediaPipe Tasks' ImageClassifier, TensorFlow's `tf.lite`, LiteRT's own benchmark tool, and LiteRT.js in headless
Chromium, under the recipes named on the command line or all that are for CPUs. Their latencies are by the way: one
thread, and in the browser what its clock allows. Needs `pip install '.[others]'`, chromium and npm.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.quantize.recipes import RECIPES
from deit_tiny import artefact
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from record import RESULTS, ROOT, real_data, write

RESOLUTION = 224
PICTURES = 50
IN_BROWSER = 3
"""Pictures: a browser is started for each."""

Pictures = Sequence[NDArray[np.uint8]]


def mediapipe(path: Path, pictures: Pictures, scores: NDArray[Any], labels: Sequence[str]) -> dict[str, Any]:
    """Top five of each picture: the same names in the same order, but for equal scores, and their scores."""
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=str(path)), max_results=5)
    same, worst = 0, 0.0
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for picture, ours in zip(pictures, scores, strict=True):
            image = Image(image_format=ImageFormat.SRGB, data=picture)
            found = classifier.classify(image).classifications[0].categories
            best = np.sort(ours)[:-6:-1]  # int8 logits have ties, of which any may come first
            named = all(each.category_name == labels[each.index] for each in found)
            same += named and [float(ours[each.index]) for each in found] == best.tolist()
            worst = max(worst, *(abs(each.score - float(ours[each.index])) for each in found))
    return {"pictures": len(pictures), "same_top5_names": same, "max_score_difference": worst}


def tf_lite(path: Path, pictures: Pictures, scores: NDArray[Any]) -> dict[str, Any]:
    """TensorFlow's own interpreter."""
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(path), num_threads=1).get_signature_runner(f"classify_{RESOLUTION}")
    theirs = np.stack([runner(image=picture[None])["scores"][0] for picture in pictures])
    return {"pictures": len(pictures), "max_score_difference": float(np.abs(theirs - scores).max())}


def benchmark_tool(path: Path) -> dict[str, Any]:
    """`litert-benchmark` of the wheel ai-edge-litert."""
    tool = "ai_edge_litert.tools.benchmark_litert_model"
    command = [sys.executable, "-m", tool, "--model", str(path), "--num_threads=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Inference \(median\): +([0-9.]+) ms", done.stdout)
    if found is None:
        sys.exit(f"litert-benchmark says no median: {done.stdout}")
    return {"median_ms": float(found[1])}


def litertjs(path: Path, pictures: Pictures, scores: NDArray[Any]) -> dict[str, Any]:
    """LiteRT.js on WebAssembly, one thread."""
    answers, script = [], ROOT / "tools" / "litertjs" / "run.py"
    with tempfile.TemporaryDirectory() as folder:
        for picture in pictures:
            file = Path(folder) / "picture.rgb"
            file.write_bytes(picture.tobytes())
            command = [sys.executable, str(script), str(path), str(file), "--runs", "10"]
            answers.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    theirs = np.array([answer["scores"] for answer in answers])
    return {
        "version": answers[0]["litertjs"],
        "browser": re.search(r"\w*Chrome/[0-9.]+", answers[0]["browser"])[0],  # type: ignore[index]
        "pictures": len(pictures),
        "max_score_difference": float(np.abs(theirs - scores[: len(pictures)]).max()),
        "latency_ms": min(answer["latency_ms"] for answer in answers),
    }


def main() -> None:
    files = sorted((real_data() / "imagenet_val").glob("*.JPEG"))
    pictures = [prepare(file, RESOLUTION, "squash") for file in files[:: len(files) // PICTURES][:PICTURES]]
    for_cpu = [name for name, each in RECIPES.items() if each.for_cpu]
    before = json.loads((RESULTS / "others.json").read_text(encoding="utf-8"))["rows"]
    rows = {row["recipe"]: row for row in before} if sys.argv[1:] else {}
    for recipe in sys.argv[1:] or for_cpu:
        path = artefact(recipe, (RESOLUTION,))
        with Model(path, weight_cache=False) as model:
            labels, scores = model.labels, np.stack([model.outputs(picture)["scores"] for picture in pictures])
            backend = " ".join(model.backend)
        rows[recipe] = {
            "recipe": recipe,
            "ours": backend,
            "mediapipe": mediapipe(path, pictures, scores, labels),
            "tf_lite": tf_lite(path, pictures, scores),
            "litert_benchmark": benchmark_tool(path),
            "litertjs": litertjs(path, pictures[:IN_BROWSER], scores),
        }
        print(json.dumps(rows[recipe], indent=1))
    chromium = subprocess.run(["chromium", "--version"], capture_output=True, text=True).stdout.split(" built")[0]
    tools = {"mediapipe": importlib.metadata.version("mediapipe"), "chromium": chromium.strip()}
    write(
        "others",
        {
            "model": f"DeiT-Tiny at {RESOLUTION}",
            "tools": tools,
            "rows": [rows[each] for each in for_cpu if each in rows],
        },
    )


if __name__ == "__main__":
    main()
