"""A training run as a user asks for it: data, start point and teacher found, trained, and described."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.data import dials
from edgevit.data.folders import SPLIT_FILE, SPLIT_HEADER, PictureSet, training_sets
from edgevit.errors import ConfigError, DataError, PictureError
from edgevit.files import replacing, write_text
from edgevit.model import ViT, load
from edgevit.skipped_pictures import reasons_of, skipped_line
from edgevit.training.document import training_document
from edgevit.training.earlier_run import begin_folder, check_same, earlier_state, how_it_goes_on, lengthened
from edgevit.training.epoch import Epoch
from edgevit.training.examples import ArrayExamples, Examples, FolderExamples
from edgevit.training.listener import Listener, told
from edgevit.training.loop import Resumption, TrainResult, start_model, train
from edgevit.training.spec import TrainSpec
from edgevit.training.taken_over import begun_with, digest_of
from edgevit.training.teacher import Teacher, build_cnn, check_teacher, open_teacher, train_cnn
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

SYNTHETIC_VALIDATION = 1000
SHRINK_FOR = 0.875
"""Pictures are kept at the ladder's largest sides over this: what a crop policy needs, and room for random crops."""


FakeQuantization = Callable[[str, str], Callable[[ViT], Any]]
"""A recipe's name or file, and a task -> what makes a model's fake-quantized form for it:
`converters.quantize.fake_quantization`."""


def run(
    request: TrainingRequest, listener: Listener, *, fake_quantization: FakeQuantization | None = None
) -> dict[str, Any]:
    """Trains as requested and returns the `edgevit.training/1` document.

    fake_quantization: needed where the request is quantization-aware; it is handed in because training knows nothing
        of converters.

    Everything that can be wrong in the request is found before the pictures are read.
    """
    request.check()
    state = earlier_state(request)
    spec, simulate = request.spec(), simulation(request, fake_quantization)
    if state is not None:
        spec = lengthened(spec, request, state)
    if request.teacher is not None:
        check_teacher(request.teacher, request.teacher_weights)
    start = None if request.start is None else load(request.start)
    ladder = request.resolutions(start.config if start else request.variant_config())
    base = start.config if start else None
    if request.synthetic:
        train_set, val_set = _synthetic(request, spec, ladder)
    else:
        listed = training_sets(request.data, share=request.share, seed=spec.seed)
        if state is not None:  # before they are read, which takes minutes
            check_same(request.folder, state, _asked(request, spec, base, *_without(listed, state.begun)))
        train_set, val_set = _folder(request, listed, ladder, listener)
    classes = _classes_in(train_set)
    counts = np.bincount(train_set.classes, minlength=classes)
    listener.note(
        f"{counted(len(train_set.classes), 'picture')} to train on, {len(val_set.classes)} to validate, "
        f"{len(counts)} classes" + (" (synthetic dial gauges)" if request.synthetic else "")
    )
    for remark in request.remarks(len(train_set.classes)):
        listener.note(remark)
    listener.data(counts, train_set.labels)
    config = request.config(base, classes, train_set.labels)
    asked = _asked(request, spec, base, train_set, val_set)
    if state is not None and (line := how_it_goes_on(request.folder, state, asked)):
        listener.note(line)
    teacher = None
    if request.teacher is not None and request.teacher.endswith(".keras"):
        teacher = open_teacher(Path(request.teacher), classes, train_set.labels)
        if not teacher.named:
            listener.note(f"the teacher {request.teacher} has no class names: its classes are taken in sorted order")
    begin_folder(request.folder, state)
    _record_split(request.folder, train_set, val_set)
    model = start_model(config, start, spec.seed)
    if request.teacher is not None and teacher is None:
        teacher = _taught_cnn(request, request.teacher, spec, train_set, config, listener)
    taught = {}
    if teacher is not None:
        size = teacher.resolution or max(ladder)
        top1 = teacher.top1(val_set, size, config.resize, config.fill, strict=request.strict)
        taught = {"model": request.teacher, **size.to_fields(), "top1": top1}
        listener.note(f"the teacher names {taught['top1']:.1%} of the validation pictures rightly, at {size} px")
    earlier = [Epoch.from_dict(each) for each in state.epochs] if state else []
    result = train(
        model,
        train_set,
        val_set,
        spec,
        request.output,
        task=request.lesson,
        teacher=teacher,
        simulate=simulate,
        resumption=Resumption(request.folder, asked, state, begun_with(request, _skipped(train_set, val_set))),
        strict=request.strict,
        **told(listener, earlier, spec.epochs),
    )
    pictures = len(train_set.classes), len(val_set.classes)
    choices = {"teacher": request.teacher, "qat": request.qat}
    document = training_document(request, model, model.config, spec, pictures, result, **choices)
    document |= _judged(model, train_set, val_set, result)
    return {**document, "teacher": taught} if taught else document


def simulation(request: TrainingRequest, fake_quantization: FakeQuantization | None) -> Callable[[ViT], Any] | None:
    """What makes a model's fake-quantized form. Raises `ConfigError` for a recipe that has none."""
    if request.qat is None:
        return None
    if fake_quantization is None:
        raise ConfigError(f"to train for the recipe {request.qat}, `run` needs its fake_quantization")
    return fake_quantization(request.qat, request.lesson)


def _asked(
    request: TrainingRequest,
    spec: TrainSpec,
    base: ViTConfig | None,
    examples: Examples | PictureSet,
    val_set: Examples | PictureSet,
) -> dict[str, Any]:
    """What decides a run's result, as JSON: a run is resumed only under the same.

    The pictures may have moved since, but not become others.
    """
    files = "\n".join(
        f"{file.parent.name}/{file.name} {file.stat().st_size} {index}"
        for each in (examples, val_set)
        for file, index in zip(each.files, each.classes, strict=False)
    )
    config = request.config(base, _classes_in(examples), examples.labels)
    return {
        **vars(spec),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in config.to_dict().items()},
        "start": digest_of(request.start),
        "teacher": request.teacher,
        "qat": request.qat,
        "pictures": len(examples.classes),
        "files": hashlib.sha256(files.encode()).hexdigest(),
    }


def _classes_in(examples: Examples | PictureSet) -> int:
    return len(examples.labels) or max(map(int, examples.classes)) + 1


def _without(listed: Sequence[PictureSet], begun: Mapping[str, Any]) -> list[PictureSet]:
    """The pictures that are there, without those that the run skipped when it began."""
    skipped = set(begun.get("skipped", ()))
    return [
        each.pick([index for index, file in enumerate(each.files) if f"{file.parent.name}/{file.name}" not in skipped])
        for each in listed
    ]


def _skipped(*sets: Examples) -> dict[Path, PictureError]:
    return {file: error for each in sets if isinstance(each, FolderExamples) for file, error in each.skipped.items()}


def _synthetic(request: TrainingRequest, spec: TrainSpec, ladder: tuple[Resolution, ...]) -> tuple[Examples, Examples]:
    """Square dials, as large as the ladder's longest side; the validation set has a seed of its own."""
    size = max(max(each.width, each.height) for each in ladder)
    return (
        ArrayExamples(*dials.dial_set(request.drawn, size, 2 * spec.seed), dials.LABELS),
        ArrayExamples(*dials.dial_set(SYNTHETIC_VALIDATION, size, 2 * spec.seed + 1), dials.LABELS),
    )


def _folder(
    request: TrainingRequest,
    listed: tuple[PictureSet, PictureSet],
    ladder: tuple[Resolution, ...],
    listener: Listener,
) -> tuple[FolderExamples, FolderExamples]:
    train_pictures, val_pictures = listed
    width, height = max(each.width for each in ladder), max(each.height for each in ladder)
    shrink_to = Resolution(round(width / SHRINK_FOR), round(height / SHRINK_FOR))
    for line in train_pictures.notes():
        listener.note(line)
    sets = FolderExamples(train_pictures, shrink_to), FolderExamples(val_pictures, shrink_to, keep=False)
    skipped = _skipped(*sets)
    if skipped and request.strict:
        raise PictureError(f"{next(iter(skipped.values()))} ({len(skipped)} in all); without --strict it is left out")
    if skipped:
        listener.note(skipped_line(reasons_of(skipped)))
    gone = sorted(set(train_pictures.classes) - set(sets[0].classes.tolist()))
    if gone:
        raise DataError(
            f"{train_pictures.root}: none of the {train_pictures.counts()[gone[0]]} pictures to train on of class "
            f"{train_pictures.name(gone[0])!r} can be read"
        )
    return sets


def _record_split(folder: Path, train_set: Examples, val_set: Examples) -> None:
    """split.csv: which picture trained and which validated."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SPLIT_HEADER)
    for part, examples in (("train", train_set), ("val", val_set)):
        for file, index in zip(examples.files, examples.classes, strict=False):
            table.writerow([file, int(index), examples.labels[index] if examples.labels else "", part])
    write_text(folder / SPLIT_FILE, text.getvalue())


def _taught_cnn(
    request: TrainingRequest, name: str, spec: TrainSpec, examples: Examples, config: ViTConfig, listener: Listener
) -> Teacher:
    """A CNN by name: it learns the pictures first, and is kept in the run's folder."""
    path = request.folder / f"teacher-{name}.keras"
    if not (request.resume and path.is_file()):
        model = build_cnn(name, config.classes, request.teacher_weights, spec.seed)
        listener.note(f"the teacher {name} learns the pictures first, at {max(config.ladder)} px")
        plain = replace(spec, mixup=0.0, cutmix=0.0, single_share=0.0)
        train_cnn(
            model,
            examples,
            max(config.ladder),
            plain,
            on_step=lambda done, total, loss: listener.step(done, total, loss, 0.0),
        )
        with replacing(path) as partial:
            model.save(partial)
    return open_teacher(path, config.classes, config.labels)


def _judged(model: ViT, train_set: Examples, val_set: Examples, result: TrainResult) -> dict[str, Any]:
    """What classes were taken for each other, by what was judged best."""
    shown = (
        model.config.base_resolution if model.config.base_resolution in result.predictions else max(result.predictions)
    )
    matrix = np.zeros((model.config.classes, model.config.classes), np.int64)
    votes = result.predictions[shown]
    read = votes >= 0
    np.add.at(matrix, (val_set.classes[read], votes[read]), 1)
    return {
        "score_temperature": result.temperature,
        "classes": _classes(train_set, matrix),
        "confusion": {**shown.to_fields(), "matrix": matrix.tolist()},
    }


def _classes(train_set: Examples, matrix: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Precision and recall of each class; None where nothing was named so, or nothing is."""
    counts = np.bincount(train_set.classes, minlength=len(matrix))
    rows = []
    for index, hits in enumerate(np.diag(matrix)):
        named, true = int(matrix[:, index].sum()), int(matrix[index].sum())
        rows.append(
            {
                "label": train_set.labels[index] if train_set.labels else str(index),
                "train": int(counts[index]),
                "val": true,
                "precision": int(hits) / named if named else None,
                "recall": int(hits) / true if true else None,
            }
        )
    return rows
