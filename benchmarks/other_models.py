"""Models that are not edgevit's own, beside one that is.

Latency: MobileNetV3Small of keras.applications with random weights in `float32` and `int8`, and DeiT-Tiny in `int8`,
at each resolution, all timed in one interleaved run; and the curve through each. Accuracy: a small CNN
(tests/support/cnn.py) trained here for a few minutes on drawn dials, and how its artefacts agree with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deit_tiny import LADDER, artefact
from edgevit.data.dials import LABELS, dial_set, write_dial_folder
from edgevit.latency.curve import fit
from edgevit_runtime import Model
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture
from record import BUILD, write

TIMED = (("MobileNetV3Small", "float32"), ("MobileNetV3Small", "int8"), ("DeiT-Tiny", "int8"))
SECONDS = 2.0
DIALS = {"size_px": 64, "training": 3000, "epochs": 8, "pictures": 500}
JUDGED = ("float32", "float16", "int8", "int8-full")


def timed(name: str, recipe: str) -> Path:
    """A model's artefact with the whole ladder in it."""
    if name == "DeiT-Tiny":
        return artefact(recipe, LADDER)
    path = BUILD / f"other-mobilenet-{recipe}.tflite"
    if not path.exists():
        import keras

        from converters import convert

        BUILD.mkdir(parents=True, exist_ok=True)
        keras.utils.set_random_seed(1)
        convert(keras.applications.MobileNetV3Small(weights=None), path, recipe=recipe, resolutions=LADDER)
    return path


def trained() -> dict[str, Path]:
    """The small CNN's artefacts; its model lies beside them."""
    import keras

    from converters import convert
    from support.cnn import tiny_cnn

    paths = {recipe: BUILD / f"other-dials-{recipe}.tflite" for recipe in JUDGED}
    keras_path, size = BUILD / "other-dials.keras", DIALS["size_px"]
    if not keras_path.exists():
        images, classes = dial_set(DIALS["training"], size, seed=1)
        model = tiny_cnn(classes=len(LABELS))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        rate = keras.optimizers.schedules.CosineDecay(5e-3, DIALS["epochs"] * -(-len(images) // 64))
        model.compile(keras.optimizers.Adam(rate), loss)
        model.fit(images.astype(np.float32), classes, batch_size=64, epochs=DIALS["epochs"], verbose=0)
        model.save(keras_path)
        write_dial_folder(BUILD / "other-dials-calibration", 64, size, seed=3)
    for recipe, path in paths.items():
        if not path.exists():
            calibration = BUILD / "other-dials-calibration" if recipe == "int8-full" else None
            model = keras.saving.load_model(keras_path, compile=False)
            convert(model, path, recipe=recipe, resolutions=(size,), calibration=calibration)
    return paths


def prepare() -> None:
    """All artefacts, so that `main` has little to do but to measure."""
    for name, recipe in TIMED:
        timed(name, recipe)
    trained()


def agreement() -> list[dict[str, Any]]:
    """Each recipe against the trained Keras model, on dials that it has not seen."""
    from edgevit.model import ForeignModel, load_any

    paths = trained()
    model = load_any(BUILD / "other-dials.keras")
    assert isinstance(model, ForeignModel)
    images, classes = dial_set(DIALS["pictures"], DIALS["size_px"], seed=2)
    expected = model.scores(images)
    rows = [{"recipe": "Keras", "top1": float((expected.argmax(1) == classes).mean())}]
    for recipe, path in paths.items():
        with Model(path, weight_cache=False) as artefact:
            scores = np.stack([artefact.outputs(image)["scores"] for image in images])
        rows.append(
            {
                "recipe": recipe,
                "size_bytes": path.stat().st_size,
                "top1": float((scores.argmax(1) == classes).mean()),
                "agreement_with_keras": float((scores.argmax(1) == expected.argmax(1)).mean()),
                "largest_difference_of_a_score": float(np.abs(scores - expected).max()),
            }
        )
    return rows


def latencies() -> list[dict[str, Any]]:
    """Median ms of each model, recipe and resolution, in turn; and the curve of each model and recipe."""
    opened = {(name, recipe): Model(timed(name, recipe)) for name, recipe in TIMED}
    keys = [(name, recipe, resolution) for name, recipe in opened for resolution in LADDER]
    images = {resolution: draw_picture(GENERATOR, 1, resolution) for resolution in LADDER}
    calls = {
        number: (lambda model=opened[key[:2]], image=images[key[2]]: model.outputs(image))
        for number, key in enumerate(keys)
    }
    found = dict(zip(keys, measure(calls, seconds=SECONDS).values(), strict=True))
    rows = []
    for (name, recipe), model in opened.items():
        signatures = [model.manifest.signature(resolution) for resolution in LADDER]
        times = [found[name, recipe, resolution].median_ms for resolution in LADDER]
        curve = fit([each.tokens for each in signatures], times)
        rows.append(
            {
                "model": name,
                "recipe": recipe,
                "size_bytes": timed(name, recipe).stat().st_size,
                "partitions": sorted({each.partitions for each in signatures}),
                "curve": curve.parameters(),
                "points": [
                    {
                        "resolution": each.resolution.to_json(),
                        "tokens": each.tokens,
                        "macs": dict(each.macs),
                        "median_ms": round(ms, 3),
                        "quadratic_share": round(curve.quadratic_share(each.tokens), 4),
                    }
                    for each, ms in zip(signatures, times, strict=True)
                ],
            }
        )
    return rows


def main() -> None:
    document = {"threads": 1, "random_weights": "MobileNetV3Small", "dials": DIALS, "agreement": agreement()}
    write("other_models", {**document, "latency": latencies()})


if __name__ == "__main__":
    main()
