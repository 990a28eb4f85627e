"""A training run of a head that reads all tokens: data and start point found, trained, and described."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from edgevit.config import ViTConfig
from edgevit.data.dense_set import DenseSet
from edgevit.dense_head import DenseHead
from edgevit.model import load
from edgevit.skipped_pictures import reasons_of, skipped_line
from edgevit.training.document import training_document
from edgevit.training.earlier_run import begin_folder, check_same, earlier_state, how_it_goes_on, lengthened
from edgevit.training.epoch import Epoch
from edgevit.training.lessons import DENSE_LESSONS, DenseLesson
from edgevit.training.listener import Listener, told
from edgevit.training.loop import Resumption, start_model, train
from edgevit.training.run import FakeQuantization, simulation
from edgevit.training.run_files import record_split
from edgevit.training.spec import TrainSpec
from edgevit.training.taken_over import begun_with, digest_of
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

VALIDATING_PANELS = 200
ROOM = 1.8
"""Pictures are kept so many times as large as the ladder's longest side: as far as they may be enlarged in training."""
VALIDATING_ROOM = 1.25


def run_dense(
    request: TrainingRequest, listener: Listener, *, fake_quantization: FakeQuantization | None = None
) -> dict[str, Any]:
    """Trains as requested and returns the `edgevit.training/1` document.

    fake_quantization: as of `edgevit.training.run.run`.

    Everything that can be wrong in the request is found before the pictures are read.
    """
    request.check()
    simulate = simulation(request, fake_quantization)
    state = earlier_state(request)
    lesson = DENSE_LESSONS[request.dense_task]
    start = None if request.start is None else load(request.start)
    base = start.config if start else None
    seed = request.spec().seed
    if request.synthetic:
        longest = _longest(request.resolutions(base or request.variant_config()))
        size = Resolution(longest)
        # Square ones, as large as the ladder's longest side; the validation set has a seed of its own.
        listed = lesson.drawn(request.drawn, size, 2 * seed), lesson.drawn(VALIDATING_PANELS, size, 2 * seed + 1)
        fingerprint = ""
    else:
        listed = lesson.listed(request, seed)
        request = _with_ladder(lesson, request, base, listed[0], listener)
        longest = _longest(request.resolutions(base or request.variant_config()))
        fingerprint = _digest(lesson, *listed)
    count = request.drawn if request.synthetic else lesson.count(listed[0])
    spec = request.spec(count)
    if state is not None:
        spec = lengthened(spec, request, state)
    config = request.dense_config(base, _head(lesson, request, base, listed[0]))
    asked = _asked(request, spec, config, count, fingerprint)
    train_set, val_set = listed
    if not request.synthetic:
        if state is not None:  # before they are read, which takes minutes
            check_same(request.folder, state, asked)
        train_set, val_set = _read(lesson, request, *listed, longest, listener)
    listener.note(
        f"{counted(len(train_set), lesson.unit(listed[0]))} to train on, {len(val_set)} to validate, "
        + lesson.about(listed[0])
        + (" (synthetic panels)" if request.synthetic else "")
    )
    for remark in request.remarks(len(train_set)):
        listener.note(remark)
    if state is None and "epochs" not in request.options:
        listener.note(f"{counted(spec.epochs, 'epoch')} (--epochs)")
    if state is not None and (line := how_it_goes_on(request.folder, state, asked)):
        listener.note(line)
    begin_folder(request.folder, state)
    record_split(request.folder, {"train": train_set.files, "val": val_set.files})
    model = start_model(config, start, spec.seed)
    earlier = [Epoch.from_dict(each) for each in state.epochs] if state else []
    skipped = {**train_set.skipped, **val_set.skipped}
    result = train(
        model,
        train_set,
        val_set,
        spec,
        request.output,
        task=request.dense_task,
        simulate=simulate,
        resumption=Resumption(request.folder, asked, state, begun_with(request, skipped)),
        strict=request.strict,
        **told(listener, earlier, spec.epochs),
    )
    pictures = len(train_set.files) or len(train_set), len(val_set.files) or len(val_set)
    choices = {"qat": request.qat, "ignored": request.ignored}
    document = training_document(request, model, model.config, spec, pictures, result, **choices)
    if result.best_answers:
        shown = max(result.best_answers)
        document |= lesson.described(listed[0], shown, result.best_answers[shown])
    return document


def _longest(ladder: tuple[Resolution, ...]) -> int:
    return max(max(each.width, each.height) for each in ladder)


def _with_ladder(
    lesson: DenseLesson, request: TrainingRequest, base: ViTConfig | None, listed: DenseSet, listener: Listener
) -> TrainingRequest:
    """Where nobody names resolutions, those that suit the pictures."""
    if request.ladder or (base is not None and base.dense_heads and base.ladder):
        return request
    ladder = lesson.ladder(listed, (base or request.variant_config()).patch)
    listener.note(f"resolutions {', '.join(map(str, ladder))}, as the {lesson.unit(listed)}s suggest (--resolutions)")
    return replace(request, ladder=ladder)


def _head(lesson: DenseLesson, request: TrainingRequest, base: ViTConfig | None, labelled: Any) -> DenseHead:
    """Half as wide as the backbone."""
    return lesson.head(labelled, max(32, (base or request.variant_config()).width // 2))


def _asked(
    request: TrainingRequest, spec: TrainSpec, config: ViTConfig, count: int, fingerprint: str
) -> dict[str, Any]:
    """What decides a run's result, as JSON: a run is resumed only under the same."""
    return {
        **vars(spec),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in config.to_dict().items()},
        "start": digest_of(request.start),
        "teacher": None,
        "qat": request.qat,
        "pictures": count,
        "files": fingerprint,
    }


def _read(
    lesson: DenseLesson, request: TrainingRequest, train_files: Any, val_files: Any, longest: int, listener: Listener
) -> tuple[Any, Any]:
    for line in train_files.notes():
        listener.note(line)
    train_set = lesson.examples(train_files, round(ROOM * longest), strict=request.strict)
    val_set = lesson.examples(val_files, round(VALIDATING_ROOM * longest), strict=request.strict)
    skipped = {**train_set.skipped, **val_set.skipped}
    if skipped:
        listener.note(skipped_line(reasons_of(skipped)))
    return train_set, val_set


def _digest(lesson: DenseLesson, *sets: DenseSet) -> str:
    """Of which pictures and labels there are. They may have moved since, but not become others."""
    found = hashlib.sha256()
    for each in sets:
        lines = [f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in each.files]
        found.update("\n".join(lines).encode())
        found.update(lesson.fingerprint(each))
    return found.hexdigest()
