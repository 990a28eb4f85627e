"""Images a second of edgevit's training against plain `model.fit` of a Keras ViT of the same size, interleaved; and how
much longer the first epoch takes than the second, where a small folder is trained at five resolutions.

Ours is the whole loop: pictures cropped and resized in threads, then the step. The plain one, a ViT as one writes it
with keras.layers.MultiHeadAttention, gets arrays that lie ready in memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import keras
import numpy as np

from edgevit.model import build
from edgevit.training import PRESETS, ArrayExamples, TrainSpec, train
from edgevit.training.batches import MixedBatches, TrainingBatch
from edgevit.training.learner import Learner
from edgevit.variants import variant_config
from record import write

ROUNDS, STEPS, BATCH, CLASSES = 7, 4, 32, 5
LADDER, PHOTOS, HELD_OUT = (128, 160, 192, 224, 256), 300, 30
VARIANT, RESOLUTIONS = "deit-tiny", (224, 128)
BY_ITSELF = (sys.executable, __file__, "--first-epoch")


def plain_vit(resolution: int) -> keras.Model:
    """DeiT-Tiny's size as a functional Keras model; pixels scaled by a layer, AdamW, everything at Keras's defaults."""
    config = variant_config(VARIANT, classes=CLASSES)
    layers = keras.layers
    images = keras.Input((resolution, resolution, 3))
    patches = layers.Conv2D(config.width, config.patch, config.patch)(layers.Rescaling(1 / 127.5, -1.0)(images))
    tokens = layers.Reshape((-1, config.width))(patches)
    count = (resolution // config.patch) ** 2
    tokens = tokens + layers.Embedding(count, config.width)(np.arange(count)[None])
    for _ in range(config.depth):
        normed = layers.LayerNormalization()(tokens)
        tokens = tokens + layers.MultiHeadAttention(config.heads, config.head_width)(normed, normed)
        hidden = layers.Dense(config.mlp_width, activation="gelu")(layers.LayerNormalization()(tokens))
        tokens = tokens + layers.Dense(config.width)(hidden)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(tokens))
    model = keras.Model(images, layers.Dense(CLASSES)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss)
    return model


def _steps(learner: Learner, batches: Iterator[TrainingBatch]) -> None:
    for _ in range(STEPS):
        learner.step(next(batches))


def measure(resolution: int) -> dict[str, object]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (STEPS * BATCH, resolution, resolution, 3), np.uint8)
    classes = (np.arange(len(images)) % CLASSES).astype(np.int32)
    plain = plain_vit(resolution)

    config = variant_config(VARIANT, classes=CLASSES, ladder=(resolution,))
    examples = ArrayExamples(images, classes, ())
    contenders: dict[str, Callable[[], object]] = {
        "model.fit": lambda: plain.fit(images, classes, batch_size=BATCH, shuffle=False, verbose=0)
    }
    for name, precision in (("edgevit", "float32"), ("edgevit, mixed_bfloat16", "mixed_bfloat16")):
        spec = TrainSpec(epochs=ROUNDS + 1, batch=BATCH, precision=precision)
        batches = MixedBatches(examples, config.ladder, config.base_resolution, spec, tall=False)
        learner = Learner(build(config, seed=0), spec, batches.total)
        contenders[name] = partial(_steps, learner, batches.from_step(0))

    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(ROUNDS + 1):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            if number:  # the first round compiles
                speeds[name].append(len(images) / (time.perf_counter() - begun))
    medians = {name: round(float(np.median(values)), 2) for name, values in speeds.items()}
    ratios = [one / other for one, other in zip(speeds["edgevit"], speeds["model.fit"], strict=True)]
    row = {
        "resolution": resolution,
        "images_per_s": medians,
        "ratio": round(float(np.median(ratios)), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "parameters": {"edgevit": int(learner.model.count_params()), "model.fit": int(plain.count_params())},
    }
    print(row, flush=True)
    return row


def first_epoch() -> dict[str, object]:
    """Two epochs of the preset fine-tune, DeiT-Tiny's size, from the first step on: its graphs are made meanwhile."""
    preset = PRESETS["fine-tune"]
    config = variant_config(VARIANT, classes=CLASSES, ladder=LADDER, stochastic_depth=preset.stochastic_depth)
    random = np.random.default_rng(0)
    photos, held_out = (
        ArrayExamples(
            random.integers(0, 256, (count, LADDER[-1], LADDER[-1], 3), np.uint8),
            (np.arange(count) % CLASSES).astype(np.int32),
            (),
        )
        for count in (PHOTOS, HELD_OUT)
    )
    spec = TrainSpec(**{**preset.values, "epochs": 2})
    model = build(config, seed=0)
    ends = [time.perf_counter()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.keras")
        train(model, photos, held_out, spec, path, on_epoch=lambda _epoch: ends.append(time.perf_counter()))
    first, second = np.diff(ends).tolist()
    return {
        "resolutions": list(LADDER),
        "photos": PHOTOS,
        "first_epoch_s": round(first, 1),
        "second_epoch_s": round(second, 1),
        "ratio": round(first / second, 2),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def main() -> None:
    if BY_ITSELF[-1] in sys.argv:  # a process of its own, whose memory nothing else has used
        print(json.dumps(first_epoch()))
        return
    said = subprocess.run(BY_ITSELF, check=True, stdout=subprocess.PIPE, text=True).stdout
    start = json.loads(said.splitlines()[-1])
    print(start, flush=True)
    rows = [measure(resolution) for resolution in RESOLUTIONS]
    write(
        "training_speed", {"model": "DeiT-Tiny", "batch": BATCH, "rounds": ROUNDS, "first_epoch": start, "rows": rows}
    )


if __name__ == "__main__":
    main()
