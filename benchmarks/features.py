"""The task features with DeiT-Tiny's real weights: is it the same model, what it adds to a file, k-NN on flowers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converters import convert
from deit_tiny import keras_model
from edgevit.evaluation import evaluate
from edgevit.model import load
from edgevit.tasks import Features
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.pictures import load_picture, pictures_below
from record import BUILD, real_data, write

LADDER = (96, 160, 224, 320)
OPTIONS: dict[str, Any] = {"layers": (4, 8), "attention": True}
PICTURES = 20
KNN_LADDER = (96, 224)


def made(name: str, **options: Any) -> Path:
    """An artefact under build/benchmarks, made once."""
    path = BUILD / f"deit_tiny-{name}.tflite"
    if not path.exists():
        convert(load(keras_model()), path, source=keras_model(), **options)
    return path


def difference(resolution: int | str, *, unnormed: bool) -> dict[str, float]:
    """The largest difference of each output from the Keras model's, in float32, over some pictures."""
    options = {**OPTIONS, "unnormed": unnormed}
    path = made(
        f"features-float32-{resolution}-{unnormed}",
        recipe="float32",
        task="features",
        resolutions=[resolution],
        **options,
    )
    model = load(keras_model())
    task = Features.of(model.config, options)
    worst: dict[str, float] = {}
    files = pictures_below(real_data() / "imagenet_val")[:: 1300 // PICTURES]
    with Model(path) as artefact:
        (signature,) = artefact.manifest.signatures
        for file in files:
            image = fit(load_picture(file), signature.resolution, "squash")
            found = artefact.run(signature, image)
            for name, exact in task.expected(model, image[None]).items():
                error = float(np.abs(found[name] - exact[0]).max())
                worst[name] = max(worst.get(name, 0.0), error)
    return {name: float(f"{error:.3g}") for name, error in sorted(worst.items())}


def main() -> None:
    sizes = {
        name: made(f"{name.replace(',', '-')}-int8-four", recipe="int8", task=name, resolutions=LADDER).stat().st_size
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
            for resolution, unnormed in ((224, False), (96, False), ("320x192", False), (224, True))
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
