"""A training run as a user asks for it: data and start point found, trained, and described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgevit_runtime.preprocess import DEFAULT_POLICY, parse_policy

from edgevit.config import ViTConfig, check_resolution, variant_config
from edgevit.data import dials
from edgevit.data.folders import training_sets
from edgevit.errors import ConfigError, PictureError
from edgevit.files import check_writable
from edgevit.model import ViT, load
from edgevit.training.examples import ArrayExamples, Examples, FolderExamples
from edgevit.training.fit import Epoch, OnStep, TrainResult, TrainSpec, start_model, train

SYNTHETIC = "synthetic"
SYNTHETIC_VALIDATION = 1000
PHOTO_LADDER = (128, 160, 192, 224)
SYNTHETIC_LADDER = (48, 64, 80, 96, 112, 128)


@dataclass(frozen=True)
class Request:
    """What the command line says; None and () stand for the defaults that depend on the rest."""

    data: str
    output: Path
    variant: str | None = None
    start: Path | None = None
    ladder: tuple[int, ...] = ()
    epochs: int = 30
    batch: int = 64
    learning_rate: float | None = None
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    stochastic_depth: float = 0.0
    augmentation: str | None = None
    resize: str | None = None
    pictures: int = 6000
    seed: int = 0
    single_share: float | None = None
    strict: bool = False


def run(
    request: Request,
    *,
    on_note: Callable[[str], None],
    on_step: OnStep,
    on_epoch: Callable[[Epoch], None],
) -> dict[str, Any]:
    """Trains as requested and returns the `edgevit.training/1` document.

    Everything that can be wrong in the request is found before the pictures are read.
    """
    if request.output.suffix != ".keras":
        raise ConfigError(f"a model is saved as a .keras file, not {request.output.name!r}")
    check_writable(request.output)
    synthetic = request.data == SYNTHETIC
    if request.start is not None and request.variant is not None:
        raise ConfigError(f"--from {request.start} brings its own variant; leave --variant out")
    start = None if request.start is None else load(request.start)
    base = start.config if start else variant_config(request.variant or ("vit-nano" if synthetic else "vit-tiny"))
    ladder = request.ladder or base.ladder or (SYNTHETIC_LADDER if synthetic else PHOTO_LADDER)
    for resolution in ladder:
        check_resolution(resolution, base.patch)
    resize = request.resize or ("squash" if synthetic else DEFAULT_POLICY)
    parse_policy(resize)
    peak = 1e-4 if start else 1e-3  # fresh weights take larger steps
    spec = TrainSpec(
        epochs=request.epochs,
        batch=request.batch,
        learning_rate=peak if request.learning_rate is None else request.learning_rate,
        weight_decay=request.weight_decay,
        label_smoothing=request.label_smoothing,
        augmentation=request.augmentation or ("shift" if synthetic else "photo"),
        seed=request.seed,
        # From scratch, start at one resolution; weights that can see already go straight to all of them.
        single_share=(0.0 if start else 0.5) if request.single_share is None else request.single_share,
    )
    train_set, val_set = _synthetic(request, ladder) if synthetic else _folder(request, ladder, on_note)
    counts = np.bincount(train_set.classes, minlength=len(train_set.labels) or 1)
    on_note(
        f"{len(train_set.classes)} pictures to train on, {len(val_set.classes)} to validate, {len(counts)} classes"
        + (" (synthetic dial gauges)" if synthetic else "")
    )
    model = start_model(_config(base, start, request, ladder, resize, train_set), start, request.seed)
    result = train(model, train_set, val_set, spec, request.output, on_step=on_step, on_epoch=on_epoch)
    return _document(request, model, spec, train_set, val_set, result)


def _config(
    base: ViTConfig, start: ViT | None, request: Request, ladder: tuple[int, ...], resize: str, examples: Examples
) -> ViTConfig:
    """The start's config, or the variant's with its positions learned on the grid of the ladder's middle."""
    classes = len(examples.labels) or int(examples.classes.max()) + 1
    # The old labels go first: their count need not be the new one's.
    config = base.with_(labels=()).with_(
        classes=classes, labels=examples.labels, ladder=ladder, resize=resize, stochastic_depth=request.stochastic_depth
    )
    return config if start else config.with_(base_resolution=ladder[len(ladder) // 2])


def _synthetic(request: Request, ladder: tuple[int, ...]) -> tuple[Examples, Examples]:
    """Dials drawn at the ladder's largest resolution; the validation set has a seed of its own."""
    size = max(ladder)
    return (
        ArrayExamples(*dials.dial_set(request.pictures, size, 2 * request.seed), dials.LABELS),
        ArrayExamples(*dials.dial_set(SYNTHETIC_VALIDATION, size, 2 * request.seed + 1), dials.LABELS),
    )


def _folder(
    request: Request, ladder: tuple[int, ...], on_note: Callable[[str], None]
) -> tuple[FolderExamples, FolderExamples]:
    train_pictures, val_pictures = training_sets(request.data, seed=request.seed)
    shrink_to = round(max(ladder) / 0.875)
    sets = FolderExamples(train_pictures, shrink_to), FolderExamples(val_pictures, shrink_to)
    skipped = [file for each in sets for file in each.skipped]
    if skipped and request.strict:
        raise PictureError(f"cannot read picture {skipped[0]} ({len(skipped)} in all); without --strict it is left out")
    if skipped:
        on_note(f"skipped {len(skipped)} pictures that cannot be read: {', '.join(map(str, skipped[:3]))}")
    return sets


def _document(
    request: Request, model: ViT, spec: TrainSpec, train_set: Examples, val_set: Examples, result: TrainResult
) -> dict[str, Any]:
    return {
        "schema": "edgevit.training/1",
        "model": str(request.output),
        "variant": model.config.variant,
        "parameters": int(model.count_params()),
        "data": request.data,
        "images": {"train": len(train_set.classes), "val": len(val_set.classes)},
        "spec": {**vars(spec), "start": str(request.start) if request.start else None},
        "seconds": round(result.seconds, 1),
        "best_epoch": result.best.number,
        "results": [{"resolution": resolution, "top1": top1} for resolution, top1 in result.best.top1.items()],
        "epochs": [
            {
                "epoch": epoch.number,
                "loss": round(epoch.loss, 5),
                "images_per_s": round(epoch.images_per_s, 1),
                "top1": {str(resolution): top1 for resolution, top1 in epoch.top1.items()},
            }
            for epoch in result.epochs
        ],
    }
