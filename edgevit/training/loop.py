"""The training run: mixed resolutions, validation after each epoch, the best weights kept, a state to resume from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.errors import TrainingError
from edgevit.model import ImageText, ViT, build, save, transfer
from edgevit.training.epoch import Epoch
from edgevit.training.held_out import Answered
from edgevit.training.lessons import LESSONS, Judged, Lesson
from edgevit.training.score_temperature import divide_heads, fit
from edgevit.training.spec import TrainSpec
from edgevit.training.state import State
from edgevit.training.step import TeacherLike
from edgevit_runtime.resolution import Resolution, as_resolution

SAVE_EVERY_S = 60.0
SAVING_SHARE = 20.0
"""At most a twentieth of the time goes into saving states."""


@dataclass(frozen=True)
class TrainResult:
    """The epochs of a run, the one whose weights were kept, and the classes that it named for the validation set."""

    epochs: tuple[Epoch, ...]
    best: Epoch
    seconds: float
    predictions: Mapping[Resolution, NDArray[np.int64]]
    """Resolution -> [n], -1 for a picture that could not be read any more."""
    temperature: Mapping[str, Any] | None
    """A `ScoreTemperature` as a document has it; None where none was fitted."""
    best_answers: Mapping[Resolution, Judged]
    """What the kept epoch gave on the validation pictures; empty where that epoch was before a resumption."""


OnTrainingStep = Callable[[int, int, float, float], None]
"""Told (steps done, steps in all, loss, images per second)."""
OnPreparing = Callable[[Resolution, int, int], None]
"""Told, before the first step at a resolution, which, the how manieth it is, and of how many."""


@dataclass(frozen=True)
class Resumption:
    """The folder that holds the run's state, what was asked for, and the state to go on from."""

    folder: Path
    request: Mapping[str, Any]
    state: State | None = None
    begun: Mapping[str, Any] = field(default_factory=dict)
    """What a new state keeps besides: `State.begun`."""


def start_model(config: ViTConfig, start: ViT | None, seed: int) -> ViT:
    """A fresh model, or `start`'s weights under `config`: a new head where the classes differ, the rest as it was.

    Classes differ in number or in name; a start without names is taken at its number.
    """
    model = build(config, seed=seed)
    if start is None:
        return model
    same_classes = start.config.classes == config.classes and start.config.labels in ((), config.labels)
    transfer(start, model, keep_head=same_classes and start.config.dense_heads == config.dense_heads)
    return model


def _strategy() -> Any:
    """All GPUs that TensorFlow sees, where there are several."""
    return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 else None


def train(
    model: ViT | ImageText,
    train_set: Any,
    val_set: Any,
    spec: TrainSpec,
    path: Path,
    *,
    task: str = "classify",
    teacher: TeacherLike | None = None,
    simulate: Any = None,
    resumption: Resumption | None = None,
    strict: bool = True,
    on_step: OnTrainingStep = lambda _done, _total, _loss, _speed: None,
    on_epoch: Callable[[Epoch], None] = lambda _epoch: None,
    on_note: Callable[[str], None] = lambda _line: None,
    on_preparing: OnPreparing = lambda _resolution, _number, _of: None,
) -> TrainResult:
    """Trains `model` on all resolutions of its config's ladder and writes the best weights to `path` as they come.

    train_set, val_set: `Examples`, or what the task's lesson takes. task: a key of `LESSONS`.

    The best epoch has the highest mean over the ladder of the task's metric on the validation pictures.
    simulate: makes a fake-quantized form of a model, for quantization-aware training.
    strict: stop at a picture that cannot be read any more, instead of training on the next one, or validating without.
    Raises `TrainingError` when the loss is no longer finite; the best weights so far stay in `path`.
    """
    return _Run(model, train_set, val_set, spec, path, LESSONS[task], teacher, simulate, resumption, strict).go(
        on_step, on_epoch, on_note, on_preparing
    )


class _Run:
    """One run: the learner, its batches, and where it stands."""

    def __init__(
        self,
        model: Any,
        train_set: Any,
        val_set: Any,
        spec: TrainSpec,
        path: Path,
        lesson: Lesson,
        teacher: TeacherLike | None,
        simulate: Any,
        resumption: Resumption | None,
        strict: bool,
    ) -> None:
        self.model, self.spec, self.path, self.resumption = model, spec, path, resumption
        config = lesson.picture_config(model.config)
        self.base = config.base_resolution
        self.train_set, self.simulated = train_set, simulate is not None
        self.ladder = config.ladder or (self.base,)
        tall = teacher is not None or spec.self_distillation > 0.0
        found = resumption.state if resumption else None
        config = config.with_(ladder=self.ladder)
        self.config, self.lesson = config, lesson
        self.batches = lesson.batches(
            train_set, config, spec, tall=tall, strict=strict, single=found.single if found else None
        )
        self.validation = lesson.validation(val_set, config, strict=strict)
        self.strict = strict
        self.learner = lesson.learner(
            model, spec, self.batches.total, train_set, teacher=teacher, simulate=simulate, strategy=_strategy()
        )
        request, begun = (resumption.request, resumption.begun) if resumption else ({}, {})
        self.state = State(dict(request), dict(begun), single=self.batches.single)
        self.predictions: dict[Resolution, NDArray[np.int64]] = {}
        self.best_answers: Mapping[Resolution, Judged] = {}
        self.saved_at, self.save_seconds = time.perf_counter(), 0.0

    def go(
        self,
        on_step: OnTrainingStep,
        on_epoch: Callable[[Epoch], None],
        on_note: Callable[[str], None],
        on_preparing: OnPreparing,
    ) -> TrainResult:
        self._resume()
        state, batches = self.state, self.batches
        noted, noted_val = len(batches.unreadable), 0
        seen: set[Resolution] = set()
        begun = since = time.perf_counter()
        before = state.seconds
        for batch in batches.from_step(state.step):
            if batch.resolution not in seen:
                seen.add(batch.resolution)
                on_preparing(batch.resolution, len(seen), len(self.ladder))
            loss = self.learner.step(batch)
            state.step += 1
            state.losses.append(loss)
            if not np.isfinite(loss):
                raise TrainingError(self._not_finite(loss))
            now = time.perf_counter()
            state.epoch_seconds += now - since
            since = now
            speed = len(state.losses) * batches.batch / state.epoch_seconds
            on_step(state.step, batches.total, loss, speed)
            if state.step % batches.steps_per_epoch == 0:
                epoch = self._end_epoch(speed)
                state.seconds = before + time.perf_counter() - begun
                self._save()
                lost = list(batches.unreadable.items())[noted:]  # to which a thread may be adding
                for index, error in lost:
                    on_note(f"training picture {index} cannot be read any more, the next one stood in: {error}")
                noted += len(lost)
                gone = list(self.validation.unreadable.items())[noted_val:]
                for index, error in gone:
                    on_note(f"validation picture {index} cannot be read any more, it is left out: {error}")
                noted_val += len(gone)
                on_epoch(epoch)
                since = time.perf_counter()
            elif self.resumption and now - self.saved_at > max(SAVE_EVERY_S, SAVING_SHARE * self.save_seconds):
                state.seconds = before + now - begun
                self._save()
                since = time.perf_counter()
        epochs = tuple(map(Epoch.from_dict, state.epochs))
        assert state.best is not None  # there is at least one epoch
        return TrainResult(
            epochs, epochs[state.best - 1], state.seconds, self.predictions, state.temperature, self.best_answers
        )

    def _resume(self) -> None:
        found = self.resumption.state if self.resumption else None
        if found is None:
            if self.simulated:
                shown = self.lesson.calibrating(self.train_set, self.config, self.spec, strict=self.strict)
                self.learner.calibrate(shown)
            self._save()  # from here on, `--resume` knows what was asked for
            return
        arrays = dict(found.arrays)
        self.predictions = {
            as_resolution(name.partition("/")[2]): arrays.pop(name)
            for name in list(arrays)
            if name.startswith("predictions/")
        }
        self.learner.restore(arrays)
        self.state = found
        if found.best is not None and not self.path.is_file():
            raise TrainingError(f"{self.path}, the best weights of the unfinished run, is gone; --restart begins anew")

    def _save(self) -> None:
        if self.resumption is None:
            return
        begun = time.perf_counter()
        named = {f"predictions/{resolution}": values for resolution, values in self.predictions.items()}
        self.state.arrays = {**self.learner.arrays(), **named}
        self.state.write(self.resumption.folder)
        self.saved_at = time.perf_counter()
        self.save_seconds = self.saved_at - begun

    def _ask(self) -> dict[Resolution, Judged]:
        """What the weights give on the validation pictures; nothing in epochs that are not validated."""
        number, epochs = len(self.state.epochs) + 1, self.spec.epochs
        every = -(-epochs // (self.lesson.validations or epochs))
        if number % every and number < epochs:
            return {}
        # While one resolution is trained, the others would only tell how far it is from them.
        ladder = self.ladder if self._mixed else (self.base,)
        self.learner.keep()
        return {resolution: self.validation.ask(self.learner.logits, resolution) for resolution in ladder}

    @property
    def _mixed(self) -> bool:
        """The whole ladder is in training by now."""
        return self.state.step > self.batches.single or self.state.step == self.batches.total

    def _end_epoch(self, speed: float) -> Epoch:
        """Validates what the epoch left and keeps it if it is the best so far."""
        state = self.state
        answers = self._ask()
        epoch = Epoch(
            number=len(state.epochs) + 1,
            loss=float(np.mean(state.losses)),
            learning_rate=float(self.learner.learning_rate),
            images_per_s=speed,
            seconds=state.epoch_seconds,
            judged={resolution: each.metric for resolution, each in answers.items()},
            count=min((each.count for each in answers.values()), default=None),
            metric=self.lesson.metric,
        )
        state.epochs.append(epoch.to_dict())
        best = None if state.best is None else Epoch.from_dict(state.epochs[state.best - 1])
        if answers and self._mixed and (best is None or epoch.mean > best.mean):
            self.learner.keep_ranges()
            state.temperature = self._believable(list(answers.values()))
            save(self.model, self.path)
            state.best = epoch.number
            self.predictions = {
                resolution: each.votes for resolution, each in answers.items() if isinstance(each, Answered)
            }
            self.best_answers = answers
        state.losses, state.epoch_seconds = [], 0.0
        return epoch

    def _believable(self, answers: Sequence[Judged]) -> dict[str, Any] | None:
        """Divides the logits of the model that is to be saved by what fits the validation pictures.

        Not those of a fake-quantized one: the ranges that it learned are those of its own logits.
        """
        if self.simulated or self.lesson.metric != "top1" or self.model.config.scores != "softmax":
            return None
        logits, truths = (np.concatenate([getattr(each, name) for each in answers]) for name in ("logits", "truths"))
        found = fit(logits, truths, min(each.count for each in answers))
        self.model.config = self.model.config.with_(score_temperature=1.0)
        if found is None:
            return None
        divide_heads(self.model, found.temperature)
        return found.to_dict()

    def _not_finite(self, loss: float) -> str:
        kept = f"the best weights so far are in {self.path}" if self.state.best else "nothing was written"
        advice = f"try a lower --learning-rate than {self.spec.learning_rate:g}"
        if self.spec.precision != "float32":
            advice += " or --precision float32"
        return f"the loss is {loss} after {self.state.step} steps; {advice} ({kept})"
