"""`edgevit.train`: a model from a folder of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit.api.arguments import Resolutions, as_ladder, in_known_words
from edgevit.api.early_checks import check_training_folder, known_model
from edgevit.dense_head import FORMS
from edgevit.errors import DataError
from edgevit.model_inspection import read_image_text
from edgevit.quiet_keras import load_keras
from edgevit.text_tokens import TextTokens, check_tokenizers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevit.config import ViTConfig
    from edgevit.data.dense_kinds import DataKind
    from edgevit.report.run_folder import RunFolder
    from edgevit.training.epoch import Epoch
    from edgevit.training.listener import Listener
    from edgevit.training.tensorboard import TensorBoardLog
    from edgevit.training.training_request import TrainingRequest
    from edgevit_runtime.resolution import Resolution

__all__ = ["train"]


@in_known_words
def train(
    data: str | Path,
    output: str | Path,
    *,
    from_: str | Path | None = None,
    variant: str | None = None,
    resolutions: Resolutions | None = None,
    preset: str | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    layer_decay: float | None = None,
    backbone_rate: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    ema: float | None = None,
    single_share: float | None = None,
    self_distillation: float | None = None,
    augmentation: str | None = None,
    mixup: float | None = None,
    cutmix: float | None = None,
    erasing: float | None = None,
    mosaic: float | None = None,
    text: str | None = None,
    distillation: str | None = None,
    distillation_weight: float | None = None,
    temperature: float | None = None,
    precision: str | None = None,
    seed: int | None = None,
    trivial_augment: bool | None = None,
    class_weights: bool | None = None,
    freeze: bool | None = None,
    stochastic_depth: float | None = None,
    teacher: str | Path | None = None,
    teacher_weights: str = "imagenet",
    distillation_token: bool = False,
    qat: str | Path | None = None,
    resize: str | None = None,
    val_share: float | None = None,
    pictures: int | None = None,
    task: str | None = None,
    ignored: str | int | None = None,
    vector_width: int | None = None,
    pooling: str | None = None,
    resume: bool = False,
    restart: bool = False,
    tensorboard: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Trains a ViT and writes it to `output`, a `.keras` file; returns the `edgevit.training/1` document.

    History, curves, confusion matrix and the state to resume from go to a folder beside it: plants.run for
    plants.keras.

    data: a folder of class folders (or one with train/ and val/ in it, or with labels.csv), or the word `synthetic`;
        for segment, a folder with images/ and masks/; for detect or keypoints, one with boxes or points.
    task: `classify`, `embed` for vectors that pictures are compared by, `image-text` for those of pictures and texts
        (data: a CSV file with the columns file,text, or a folder with one; text: what becomes of the text tower,
        frozen or trained), `segment` for a class at each place, `detect` for boxes, or `keypoints`; None: by the
        folder.
        vector_width, pooling: of embed how many numbers, and what they are made of (`edgevit.config.POOLINGS`).
        ignored: the value or the class of masks that does not count.
    from_: a `.keras` model to start from (`--from`; the word alone is Python's). variant: without it, which shape.
    resolutions: the ladder, all of which batches are drawn at: [128, "320x192"] or "128,320x192".
    preset: fine-tune, scratch or small-data; None: fine-tune with from_, else scratch. It decides what follows where
        that is None: `edgevit.training.spec.TrainSpec` says what each is, docs/training.md what each preset sets.
    stochastic_depth: 0 to 0.9, the chance that the last block is skipped.
    teacher: distil from this `.keras` model, or from a CNN of keras.applications by name; teacher_weights: of the
        latter, imagenet, none or a file. distillation_token: DeiT's second token and head, which listen to it.
    qat: train through the rounding of this recipe. resize: the preprocessing policy of validation.
    val_share: what validates of a folder without val/; None: a tenth. pictures: how many, for synthetic (None: 6000
        dials, or 1200 panels).
    resume: go on with the unfinished run, or with a finished one for which more epochs are asked: what is left out
        here is as that was begun, and what is given must be. restart: drop the unfinished run. tensorboard: log for
        it, too, to the run's folder.
    strict: raise `PictureError` at a picture that cannot be read, instead of leaving it out.
    overwrite: replace a finished run and its model. listener: told how it goes.

    Raises `ConfigError`, `DataError`, `ModelError`, `ResolutionError`, `TrainingError`.
    """
    asked = dict(locals())
    ladder = as_ladder(resolutions)
    from edgevit.tasks.segment import ignored_value
    from edgevit.training.spec import TrainSpec
    from edgevit.training.training_request import TrainingRequest

    options = {each.name: asked[each.name] for each in fields(TrainSpec) if asked.get(each.name) is not None}
    request = TrainingRequest(
        data=str(data),
        output=Path(output),
        preset=preset,
        variant=variant,
        start=None if from_ is None else Path(from_),
        ladder=ladder,
        options=options,
        stochastic_depth=stochastic_depth,
        resize=resize,
        val_share=val_share,
        pictures=pictures,
        task="image-text" if task is None and text is not None else task,  # nothing else has texts
        ignored=ignored_value(ignored) if isinstance(ignored, str) else ignored,
        projection=vector_width,
        pooling=pooling,
        teacher=None if teacher is None else str(teacher),
        teacher_weights=teacher_weights,
        distillation_token=distillation_token,
        qat=None if qat is None else str(qat),
        resume=resume,
        restart=restart,
        strict=strict,
        overwrite=overwrite,
    )
    if resume:
        request = _gone_on_with(request)
    request.check()
    told = None
    if request.task is None and not request.synthetic:
        told = _told_by_data(Path(request.data))
        request = replace(request, task=told.task if told else None)
    _check(request)
    load_keras()
    from converters.quantize.fake_quantization import simulating
    from edgevit.report.run_folder import RunFolder
    from edgevit.training.earlier_run import where_it_stopped
    from edgevit.training.run import run

    log = None
    if tensorboard:
        from edgevit.training.tensorboard import TensorBoardLog

        log = TensorBoardLog(request.folder / "tensorboard")
    folder = RunFolder(request.folder)
    recording = _Recording(folder, log, listener or _Silent())
    if told is not None:
        recording.note(f"{data} is labelled for {told.task} ({told.found})")
    try:
        if request.dense_task:
            from edgevit.training.dense_run import run_dense

            document = run_dense(request, recording, fake_quantization=simulating)
        elif request.pairs:
            from edgevit.training.pairs_run import run_pairs

            document = run_pairs(request, recording)
        else:
            document = run(request, recording, fake_quantization=simulating)
        folder.finish(document)
    except BaseException as error:
        # Ctrl-C or SIGTERM: whoever stops a run is told that it can go on.
        if not isinstance(error, Exception) and (line := where_it_stopped(request)):
            error.add_note(line)
        raise
    if log is not None:
        log.close()
    return document


def _told_by_data(data: Path) -> DataKind | None:
    """What a folder, or a file of labels, is for; None where who reads classes says what is wrong.

    Raises `DataError` where it is for several tasks, or where what looks like labels cannot be read.
    """
    from edgevit.data.dense_kinds import DataKind, data_kind, data_kinds, lists_classes
    from edgevit.data.folder_shapes import loose_pictures
    from edgevit.data.label_tables import LABELS_FILE, SPLIT_FILE
    from edgevit.data.text_pairs import find_pairs

    if not data.exists() or data.name == SPLIT_FILE:
        return None
    if lists_classes(data):
        return DataKind("classify", LABELS_FILE)
    if (pairs := find_pairs(data)) is not None:
        return DataKind("image-text", pairs.name)
    kinds = data_kinds(data)
    if not kinds and loose_pictures(data):
        return None
    try:
        return data_kind(data)
    except DataError as error:
        able = {task for each in kinds for task in (each.task, *each.also) if task in FORMS}
        known = " or ".join(f"--task {task}" for task in sorted(able))
        raise DataError(f"{error}: {known}" if known else str(error)) from None


def _gone_on_with(request: TrainingRequest) -> TrainingRequest:
    """With what is left out as the earlier run was begun. Raises `ConfigError` where there is none, or another."""
    from edgevit.training.earlier_run import earlier_state
    from edgevit.training.taken_over import taken_over

    request.check_output()
    state = earlier_state(request, arrays=False)
    assert state is not None  # or it would have raised
    return taken_over(request, state)


def _check(request: TrainingRequest) -> None:
    """What is wrong with it, as far as that can be told without TensorFlow; `run` looks again, and further."""
    from edgevit.training.earlier_run import earlier_state

    request.check()
    request.spec()
    known = _known_start(request)
    if request.start is None or known is not None:
        request.resolutions(known if known is not None else request.variant_config())
    earlier_state(request, arrays=False)
    if request.pairs:
        from edgevit.data.text_pairs import pair_training_sets

        check_tokenizers()
        pair_training_sets(request.data, share=request.share)
    elif not request.synthetic and not request.dense_task:
        check_training_folder(request.data)


def _known_start(request: TrainingRequest) -> ViTConfig | None:
    """What sees pictures of the model to start from; None where there is none, or only Keras can tell."""
    if request.start is None:
        return None
    towers = read_image_text(request.start) if request.pairs and request.start.is_file() else None
    if towers is not None:
        TextTokens(towers.tokenizer, towers.text)
        return towers.image
    known = known_model(request.start)
    return None if known is None else known.config


class _Silent:
    """Tells nobody."""

    def note(self, line: str) -> None: ...
    def data(self, counts: NDArray[np.int64], labels: tuple[str, ...]) -> None: ...
    def preparing(self, resolution: Resolution, number: int, of: int) -> None: ...
    def step(self, done: int, total: int, loss: float, images_per_s: float) -> None: ...
    def epoch(self, epochs: Sequence[Epoch], total: int) -> None: ...


class _Recording:
    """Writes down how the run goes, and passes it on."""

    def __init__(self, folder: RunFolder, log: TensorBoardLog | None, listener: Listener) -> None:
        self._folder, self._log, self._listener = folder, log, listener
        self.note, self.data, self.step = listener.note, listener.data, listener.step
        self.preparing = listener.preparing

    def epoch(self, epochs: Sequence[Epoch], total: int) -> None:
        self._folder.history([epoch.to_dict() for epoch in epochs])
        if self._log is not None:
            self._log.epoch(epochs[-1].to_dict())
        self._listener.epoch(epochs, total)
