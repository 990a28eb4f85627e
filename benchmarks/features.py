"""The task features with DeiT-Tiny's real weights: is it the same model, what it adds to a file, k-NN on flowers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from converters import convert
from deit_tiny import keras_model
from edgevit.evaluation import evaluate
from edgevit.model import build, load, named_weights
from edgevit.tasks import Features
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.picture_folders import pictures_below
from edgevit_runtime.preprocess.pictures import load_picture
from record import BUILD, real_data, write

LADDER = (96, 160, 224, 320)
OPTIONS: dict[str, Any] = {"layers": (4, 8), "attention": True}
PICTURES = 20
KNN_LADDER = (96, 224)
COMPARED = ((224, False), (96, False), ("320x192", False), (224, True))
"""Resolutions, and whether without the last norm."""


def made(name: str, **options: Any) -> Path:
    """An artefact under build/benchmarks, made once."""
    path = BUILD / f"deit_tiny-{name}.tflite"
    if not path.exists():
        convert(load(keras_model()), path, source=keras_model(), **options)
    return path


def in_float64(model: Any) -> Any:
    """The same model, computed in float64."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    try:
        exact, weights = build(model.config), named_weights(model)
        for name, variable in named_weights(exact).items():
            variable.assign(np.asarray(weights[name], np.float64))
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floatx)
    return exact


def difference(resolution: int | str, *, unnormed: bool) -> dict[str, dict[str, float]]:
    """Of each output, over some pictures: the artefact's difference from the Keras model, both in float32; the largest
    and the root mean square of it. Beside them how far float32 itself puts the Keras model from float64."""
    options: dict[str, Any] = {**OPTIONS, "unnormed": unnormed}
    path = made(
        f"features-float32-{resolution}-{unnormed}",
        recipe="float32",
        task="features",
        resolutions=[resolution],
        **options,
    )
    model = load(keras_model())
    exact, task = in_float64(model), Features.of(model.config, options)
    ours: dict[str, list[Any]] = {}
    files = pictures_below(real_data() / "imagenet_val").files[:: 1300 // PICTURES]
    with Model(path) as artefact:
        (signature,) = artefact.manifest.signatures
        for file in files:
            image = fit(load_picture(file), signature.resolution, "squash")
            found, expected = artefact.run_signature(signature, image), task.expected(model, image[None])
            for name, truth in task.expected(exact, image[None]).items():
                error, own = found[name] - expected[name][0], expected[name][0] - truth[0]
                worst = float(np.abs(error).max()), float(np.abs(own).max()), float(np.abs(truth).max())
                ours.setdefault(name, []).append((*worst, float(np.mean(error**2))))
    return {
        name: {
            "max": _short(max(row[0] for row in rows)),
            "rms": _short(float(np.sqrt(np.mean([row[3] for row in rows])))),
            "float32_from_float64_max": _short(max(row[1] for row in rows)),
            "largest_value": _short(max(row[2] for row in rows)),
        }
        for name, rows in sorted(ours.items())
    }


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    sizes = {
        name: made(f"{name.replace(',', '-')}-int8-four", recipe="int8", task=name, resolutions=LADDER, joint=False)
        .stat()
        .st_size
        for name in ("classify", "classify,features")
    }
    flowers, knn = real_data() / "flowers", []
    for recipe in ("float32", "int8"):
        path = made(f"features-{recipe}-knn", recipe=recipe, task="features", resolutions=KNN_LADDER)
        found = evaluate(path, flowers / "val", task="features", gallery=flowers / "train", resize="squash")
        knn += [{"recipe": recipe, "pictures": found["images"], **each} for each in found["results"]]
    figures = {
        "model": "DeiT-Tiny",
        "difference_from_keras": {
            f"{resolution}{', not normed' if unnormed else ''}": difference(resolution, unnormed=unnormed)
            for resolution, unnormed in COMPARED
        },
        "size_bytes": sizes,
        "size_ratio": round(sizes["classify,features"] / sizes["classify"], 4),
        "resolutions": list(LADDER),
        "knn": {"set": "flowers, val in train", "neighbours": 20, "results": knn},
    }
    print(figures)
    write("features", figures)


if __name__ == "__main__":
    main()
