"""Rectangles, with DeiT-Tiny's real weights: is it the same model, what int8 loses, and the curve of a mixed ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converters import convert
from deit_tiny import keras_model
from edgevit.devices.profile_request import ProfileRequest
from edgevit.evaluation import evaluate
from edgevit.latency.measurement import measure
from edgevit.model import load
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import fit
from edgevit_runtime.preprocess.picture_folders import pictures_below
from edgevit_runtime.preprocess.pictures import load_picture
from record import BUILD, real_data, write

RECTANGLES = ("320x192", "192x320")
MIXED = (96, 160, 224, "320x192", "192x320", "384x256", 320, "512x256")
PICTURES, SECONDS = 50, 6.0


def made(name: str, **options: Any) -> Path:
    path = BUILD / f"deit_tiny-{name}.tflite"
    if not path.exists():
        convert(load(keras_model()), path, source=keras_model(), **options)
    return path


def main() -> None:
    exact = load(keras_model())
    differences: dict[str, dict[str, Any]] = {}
    with Model(made("rectangles-float32-logits", recipe="float32", resolutions=RECTANGLES, logits=True)) as artefact:
        for resolution in artefact.resolutions:
            worst, same = 0.0, 0
            files = pictures_below(real_data() / "imagenet_val").files[:: 1300 // PICTURES][:PICTURES]
            for file in files:
                image = fit(load_picture(file), resolution, "squash")
                ours = artefact.outputs(image)["logits"]
                theirs = np.asarray(exact(image[None], training=False))[0]
                worst = max(worst, float(np.abs(ours - theirs).max()))
                same += int(ours.argmax() == theirs.argmax())
            differences[str(resolution)] = {"max_logit_difference": worst, "same_class": same, "pictures": len(files)}
    float32, int8 = (
        made(f"rectangles-{recipe}", recipe=recipe, resolutions=RECTANGLES, calibration=pictures)
        for recipe, pictures in (("float32", None), ("int8", real_data() / "imagenet_calibration"))
    )
    # The float32 artefact stands for the model: it is it, and quicker.
    evaluation = evaluate(float32, real_data() / "imagenet_val", against=int8, resize="squash")
    profile = measure(made("mixed-int8", recipe="int8", resolutions=MIXED), ProfileRequest(seconds=SECONDS)).to_dict()
    profile.pop("model")
    figures = {
        "model": "DeiT-Tiny",
        "float32_against_keras": differences,
        "pictures": evaluation["images"],
        "float32": evaluation["results"],
        "int8": evaluation["against"]["results"],
        "curve": profile,
    }
    print(differences, evaluation["against"]["results"], profile["curve"]["r2"])
    write("rectangles", figures)


if __name__ == "__main__":
    main()
