"""A training run of a head that reads all tokens: data and start point found, trained, and described."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from edgevit.config import ViTConfig
from edgevit.data import panels
from edgevit.data.masks import MaskSet, mask_training_sets
from edgevit.model import ViT, load
from edgevit.training.earlier_run import SUMMARY, check_same, clear, earlier_state, how_it_goes_on, lengthened
from edgevit.training.listener import Listener
from edgevit.training.loop import Epoch, Resumption, TrainResult, start_model, train
from edgevit.training.mask_examples import MaskExamples
from edgevit.training.masks_held_out import MasksAnswered
from edgevit.training.run_files import make_folder, record_split
from edgevit.training.spec import TrainSpec
from edgevit.training.taken_over import begun_with, digest_of
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.wording import counted

VALIDATING_PANELS = 200
ROOM = 1.8
"""Pictures are kept so many times as large as the ladder's longest side: as far as they may be enlarged in training."""


def run_dense(request: TrainingRequest, listener: Listener) -> dict[str, Any]:
    """Trains as requested and returns the `edgevit.training/1` document.

    Everything that can be wrong in the request is found before the pictures are read.
    """
    request.check()
    state = earlier_state(request)
    spec = request.spec()
    if state is not None:
        spec = lengthened(spec, request, state)
    start = None if request.start is None else load(request.start)
    ladder = request.resolutions(start.config if start else request.variant_config())
    longest = max(max(each.width, each.height) for each in ladder)
    base = start.config if start else None
    if request.synthetic:
        train_set, val_set = _panels(request, spec, longest)
        asked = _asked(request, spec, base, train_set.labels, len(train_set), "")
    else:
        listed = mask_training_sets(request.data, ignored=request.ignored, share=request.share, seed=spec.seed)
        asked = _asked(request, spec, base, listed[0].labels, len(listed[0].files), _digest(*listed))
        if state is not None:  # before they are read, which takes minutes
            check_same(request.folder, state, asked)
        train_set, val_set = _files(*listed, longest, listener)
    listener.note(
        f"{counted(len(train_set), 'picture')} to train on, {len(val_set)} to validate, "
        f"{len(train_set.labels)} classes: {', '.join(train_set.labels)}"
        + (" (synthetic panels)" if request.synthetic else "")
    )
    for remark in request.remarks(len(train_set)):
        listener.note(remark)
    config = request.dense_config(base, train_set.labels)
    if state is not None and (line := how_it_goes_on(request.folder, state, asked)):
        listener.note(line)
    make_folder(request.folder)
    if state is None:
        clear(request.folder)
    elif not state.finished:
        (request.folder / SUMMARY).unlink(missing_ok=True)
    record_split(request.folder, {"train": train_set.files, "val": val_set.files})
    model = start_model(config, start, spec.seed)
    epochs = [Epoch.from_dict(each) for each in state.epochs] if state else []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        listener.epoch(epochs, spec.epochs)

    result = train(
        model,
        train_set,
        val_set,
        spec,
        request.output,
        task=request.dense_task,
        resumption=Resumption(request.folder, asked, state, begun_with(request, {})),
        strict=request.strict,
        on_step=listener.step,
        on_epoch=on_epoch,
        on_note=listener.note,
        on_preparing=listener.preparing,
    )
    return _document(request, model, spec, train_set, val_set, result)


def _asked(
    request: TrainingRequest, spec: TrainSpec, base: ViTConfig | None, labels: tuple[str, ...], count: int, digest: str
) -> dict[str, Any]:
    """What decides a run's result, as JSON: a run is resumed only under the same."""
    config = request.dense_config(base, labels)
    return {
        **vars(spec),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in config.to_dict().items()},
        "start": digest_of(request.start),
        "teacher": None,
        "qat": None,
        "pictures": count,
        "files": digest,
    }


def _panels(request: TrainingRequest, spec: TrainSpec, longest: int) -> tuple[MaskExamples, MaskExamples]:
    """Square ones, as large as the ladder's longest side; the validation set has a seed of its own."""
    drawn = (
        panels.panel_set(request.drawn, longest, 2 * spec.seed),
        panels.panel_set(VALIDATING_PANELS, longest, 2 * spec.seed + 1),
    )
    train_set, val_set = (MaskExamples.of_arrays(each.images, each.masks, panels.MASK_NAMES) for each in drawn)
    return train_set, val_set


def _files(
    train_files: MaskSet, val_files: MaskSet, longest: int, listener: Listener
) -> tuple[MaskExamples, MaskExamples]:
    for line in train_files.notes():
        listener.note(line)
    most = round(ROOM * longest)
    return MaskExamples.of_files(train_files, most), MaskExamples.of_files(val_files, round(longest * 1.25))


def _digest(*sets: MaskSet) -> str:
    """Of which pictures and masks there are. They may have moved since, but not become others."""
    lines = [
        f"{path.parent.name}/{path.name} {path.stat().st_size}"
        for each in sets
        for paths in (each.files, each.masks)
        for path in paths
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _document(
    request: TrainingRequest,
    model: ViT,
    spec: TrainSpec,
    train_set: MaskExamples,
    val_set: MaskExamples,
    result: TrainResult,
) -> dict[str, Any]:
    classes = {}
    if result.best_answers:
        shown = max(result.best_answers)
        answered = result.best_answers[shown]
        assert isinstance(answered, MasksAnswered)
        classes = {"iou_by_class": {**shown.to_fields(), "classes": _classes(train_set.labels, answered)}}
    return {
        "schema": "edgevit.training/1",
        "task": request.dense_task,
        "model": str(request.output),
        "run": str(request.folder),
        "preset": request.preset_name(),
        "variant": model.config.variant,
        "parameters": int(model.count_params()),
        "data": request.data,
        "images": {"train": len(train_set), "val": len(val_set)},
        "spec": {
            **vars(spec),
            "stochastic_depth": model.config.stochastic_depth,
            "start": str(request.start) if request.start else None,
        },
        "seconds": round(result.seconds, 1),
        "best_epoch": result.best.number,
        "metric": result.best.metric,
        "results": [
            {**resolution.to_fields(), result.best.metric: value} for resolution, value in result.best.judged.items()
        ],
        "epochs": [epoch.to_dict() for epoch in result.epochs],
        **classes,
    }


def _classes(labels: tuple[str, ...], answered: MasksAnswered) -> list[dict[str, Any]]:
    """Intersection over union of each class on the validation pictures; None for one that is not there."""
    shares = answered.by_class
    pixels = answered.matrix.sum(axis=1)
    return [
        {"label": label, "pixels": int(pixels[index]), "iou": None if np.isnan(shares[index]) else float(shares[index])}
        for index, label in enumerate(labels)
    ]
