"""Is it the same model? Keras and the float32 artefact against reference logits of 1300 real pictures.

The reference are PyTorch's float32 logits that come with the pictures; preprocessing is theirs: squash, bicubic.
"""

from __future__ import annotations

import numpy as np

from deit_tiny import artefact, keras_model
from edgevit.model import load
from edgevit_runtime import Model
from edgevit_runtime.preprocess.fitting import prepare
from record import real_data, write

BATCH = 50


def compare(logits: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    return {
        "top1_agreement": int((logits.argmax(1) == reference.argmax(1)).sum()),
        "max_logit_difference": float(np.abs(logits - reference).max()),
    }


def main() -> None:
    folder = real_data() / "imagenet_val"
    reference = np.load(folder / "reference_logits.npz")
    images = np.stack([prepare(folder / str(name), 224, "squash") for name in reference["files"]])
    model = load(keras_model())
    keras = np.concatenate(
        [np.asarray(model.predict_on_batch(images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
    )
    with Model(artefact("float32", (224,), logits=True)) as lowered:
        tflite = np.stack([lowered.outputs(image)["logits"] for image in images])
    figures = {
        "model": "DeiT-Tiny, timm safetensors",
        "pictures": len(images),
        "keras": compare(keras, reference["logits"]),
        "float32_artefact": compare(tflite, reference["logits"]),
    }
    print(figures)
    write("parity", figures)


if __name__ == "__main__":
    main()
