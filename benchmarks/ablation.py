"""What each part of training buys on the embedded set: vit-nano from 1000 dial gauges, three seeds.

Each row changes one thing of the first. `python benchmarks/ablation.py [ROW ...]` runs all rows, or those named, and
puts them among those that benchmarks/results/ablation.json has. Single runs that are done lie under
build/benchmarks/ablation and are not run again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from converters.quantize.fake_quantization import simulating
from edgevit.training.run import run
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution
from record import BUILD, RESULTS, write

LADDER = (48, 64, 80)
SEEDS = (0, 1, 2)
PICTURES, EPOCHS = 1000, 30
TESTED_ON, TEST_SEED = 1000, 10_000
PLAIN: dict[str, Any] = {"epochs": EPOCHS}
MIXES = {"mixup": 0.8, "cutmix": 1.0}
TEACHER = "teacher"
"""Stands for the seed's own: a CNN with four convolutions that learned the same 1000 pictures."""

# name -> (what it is, options of the spec, other fields of the request)
ROWS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "scratch": ("preset `scratch`: one resolution for half of the steps, then all", {}, {}),
    "mixed-at-once": ("all resolutions from the first step", {"single_share": 0.0}, {}),
    "single-48": ("48 px only", {"single_share": 0.0}, {"ladder": (48,)}),
    "single-64": ("64 px only", {"single_share": 0.0}, {"ladder": (64,)}),
    "single-80": ("80 px only", {"single_share": 0.0}, {"ladder": (80,)}),
    "self-distillation": ("+ self-distillation", {"self_distillation": 1.0}, {}),
    "ema": ("+ average of the weights", {"ema": 0.99}, {}),
    "stochastic-depth": ("+ stochastic depth 0.1", {}, {"stochastic_depth": 0.1}),
    "trivial-augment": ("+ TrivialAugment (colour only: gauges)", {"trivial_augment": True}, {}),
    "erasing": ("+ random erasing", {"erasing": 0.25}, {}),
    "mixes": ("+ mixup and cutmix", MIXES, {}),
    "small-data": ("preset `small-data`, as many epochs", {}, {"preset": "small-data"}),
    "small-data-long": ("preset `small-data`, its own 100 epochs", {"epochs": 100}, {"preset": "small-data"}),
    "scratch-long": ("preset `scratch`, 100 epochs", {"epochs": 100}, {}),
    "fine-tune": ("preset `fine-tune`, 8 more epochs, from `single-80`", {"epochs": 8}, {"start": "single-80"}),
    "soft": ("+ soft distillation from a CNN", {"distillation": "soft"}, {"teacher": TEACHER}),
    "hard": ("+ hard distillation from a CNN", {"distillation": "hard"}, {"teacher": TEACHER}),
    "soft-long": ("+ soft distillation, 100 epochs", {"epochs": 100, "distillation": "soft"}, {"teacher": TEACHER}),
    "token": (
        "+ hard distillation with the distillation token",
        {"distillation": "hard"},
        {"teacher": TEACHER, "distillation_token": True},
    ),
}


class Silent:
    def note(self, line: str) -> None: ...
    def data(self, counts: Any, labels: Any) -> None: ...
    def preparing(self, resolution: object, number: int, of: int) -> None: ...
    def step(self, done: int, total: int, loss: float, images_per_s: float) -> None: ...
    def epoch(self, epochs: Any, total: int) -> None: ...


def top1(name: str, seed: int) -> dict[str, Any]:
    """Accuracy at every resolution of the ladder, trained for or not, and what the training took."""
    folder = BUILD / "ablation"
    kept = folder / f"{name}-{seed}.json"
    if kept.exists():
        known: dict[str, Any] = json.loads(kept.read_text())
        return known
    folder.mkdir(parents=True, exist_ok=True)
    _, options, fields = ROWS[name]
    output = folder / f"{name}-{seed}.keras"
    start = folder / f"{fields['start']}-{seed}.keras" if "start" in fields else None
    if "teacher" in fields:
        fields = {**fields, "teacher": str(teacher(seed))}
    request = TrainingRequest(
        "synthetic",
        output,
        options={**PLAIN, **options, "seed": seed},
        pictures=PICTURES,
        overwrite=True,
        **{"ladder": LADDER, **fields, "start": start},
    )
    document = run(request, Silent(), fake_quantization=simulating)
    result = {
        "top1": _validated(output, seed),
        "seconds": document["seconds"],
        "images_per_s": float(np.median([epoch["images_per_s"] for epoch in document["epochs"]])),
        "teacher_top1": document.get("teacher", {}).get("top1"),
    }
    kept.write_text(json.dumps(result))
    print(name, seed, result, flush=True)
    return result


def teacher(seed: int) -> Path:
    """A small CNN, trained at the ladder's top on the pictures that the student of `seed` gets."""
    path = BUILD / "ablation" / f"{TEACHER}-{seed}.keras"
    if path.exists():
        return path
    import keras

    from edgevit.data import dials
    from edgevit.training import ArrayExamples, TrainSpec
    from edgevit.training.teacher import train_cnn

    keras.utils.set_random_seed(seed)
    size = max(LADDER)
    layers: list[Any] = [keras.Input((size, size, 3)), keras.layers.Rescaling(1 / 127.5, -1.0)]
    for width in (24, 48, 96, 192):
        layers += [
            keras.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.ReLU(),
        ]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(len(dials.LABELS))])
    examples = ArrayExamples(*dials.dial_set(PICTURES, size, 2 * seed), dials.LABELS)
    train_cnn(model, examples, Resolution(size), TrainSpec(epochs=EPOCHS, batch=64, augmentation="shift", seed=seed))
    model.save(path)
    return path


def _validated(model: Path, seed: int) -> dict[str, float]:
    from edgevit.data import dials
    from edgevit.predictors import open_predictor
    from edgevit.training import ArrayExamples

    # Neither the training pictures nor those that chose the best epoch.
    examples = ArrayExamples(*dials.dial_set(TESTED_ON, max(LADDER), TEST_SEED + seed), dials.LABELS)
    predictor = open_predictor(model)
    hits = {}
    for size in LADDER:
        votes = [
            predictor.outputs("classify", images)["scores"].argmax(1)
            for images, _ in examples.prepared(Resolution(size), "squash", 100)
        ]
        hits[str(size)] = float((np.concatenate(votes) == examples.classes).mean())
    return hits


def main() -> None:
    path = RESULTS / "ablation.json"
    known = {row["row"]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    for name in sys.argv[1:] or ROWS:
        what, options, _ = ROWS[name]
        runs = [top1(name, seed) for seed in SEEDS]
        values = {size: np.array([each["top1"][str(size)] for each in runs]) for size in LADDER}
        means = np.mean(list(values.values()), axis=0)
        known[name] = {
            "row": name,
            "what": what,
            "options": {**PLAIN, **options},
            "top1": {str(size): each.tolist() for size, each in values.items()},
            "mean": {str(size): float(each.mean()) for size, each in values.items()} | {"all": float(means.mean())},
            "std": {str(size): float(each.std(ddof=1)) for size, each in values.items()}
            | {"all": float(means.std(ddof=1))},
            "images_per_s": float(np.median([each["images_per_s"] for each in runs])),
            "teacher_top1": [each["teacher_top1"] for each in runs] if runs[0]["teacher_top1"] else None,
        }
        rows = [known[each] for each in ROWS if each in known]
        write(
            "ablation",
            {
                "model": "vit-nano",
                "pictures": PICTURES,
                "epochs": EPOCHS,
                "seeds": list(SEEDS),
                "tested_on": TESTED_ON,
                "rows": rows,
            },
        )


if __name__ == "__main__":
    main()
