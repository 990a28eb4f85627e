"""What a run teaches: how its batches are made, what is minimised, and by what an epoch is judged. One file a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.data.dense_set import DenseSet
from edgevit.dense_head import DenseHead
from edgevit.errors import PictureError
from edgevit.model import ViT
from edgevit.training.batches import MixedBatches
from edgevit.training.dense_step import Objective
from edgevit.training.learner import Learner
from edgevit.training.picture_ladder import picture_ladder
from edgevit.training.spec import TrainSpec
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution

__all__ = ["CALIBRATION_BATCH", "CALIBRATION_BATCHES", "DenseLesson", "HeldOutLike", "Judged", "Lesson"]

CALIBRATION_BATCH, CALIBRATION_BATCHES = 8, 16
"""Pictures a batch, and batches at each resolution."""


class Judged(Protocol):
    """How good a model is at one resolution: the task's metric, 0 to 1, on how many pictures."""

    @property
    def metric(self) -> float: ...
    @property
    def count(self) -> int: ...


class HeldOutLike(Protocol):
    """The validation pictures."""

    unreadable: dict[int, PictureError]

    def ask(self, answers: Any, resolution: Resolution) -> Judged:
        """answers: pictures uint8 [batch, H, W, 3] -> what the model gives."""


class Lesson(Protocol):
    metric: ClassVar[str]
    """As documents call it."""
    validations: ClassVar[int | None] = None
    """A run of more epochs validates only after each second, third, ... and the last; None: after all."""

    def picture_config(self, config: Any) -> ViTConfig:
        """Of a model's config what says how its pictures are seen."""
        found: ViTConfig = config
        return found

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MixedBatches:
        """options: those of `MixedBatches`."""

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> HeldOutLike: ...

    def learner(self, model: Any, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        """options: those of `Learner`."""

    def calibrating(
        self, examples: Any, config: ViTConfig, spec: TrainSpec, *, strict: bool
    ) -> Iterator[NDArray[np.uint8]]:
        """Training pictures that are not varied, some at each resolution of the ladder, [batch, H, W, 3]: from them
        quantization-aware training has the ranges that it begins with."""


class DenseLesson(Lesson, Protocol):
    """Of a head that reads all tokens: besides, what its pictures are and what head is made for them."""

    # Of few pictures there are many epochs, and to judge the boxes of one takes a third as long as to learn from them.
    validations: ClassVar[int | None] = 20

    def listed(self, request: TrainingRequest, seed: int) -> tuple[DenseSet, DenseSet]:
        """(train, val): the labels of a folder, before its pictures are read. Raises `DataError`."""

    def fingerprint(self, found: DenseSet) -> bytes:
        """What tells its labels from others: a run is resumed only with the same."""

    def count(self, found: Any) -> int:
        """How many examples `listed` gave."""
        return len(found.files)

    def unit(self, labelled: Any) -> str:
        """What one of them is."""
        return "picture"

    def ladder(self, found: Any, patch: int) -> tuple[Resolution, ...]:
        """For what `listed` gave, where nobody names resolutions."""
        return picture_ladder(found.files, patch)

    def examples(self, found: Any, most: int, *, strict: bool) -> Any:
        """The pictures of `listed`, in memory; none is kept with a side longer than `most`."""

    def drawn(self, count: int, resolution: Resolution, seed: int) -> Any:
        """`synthetic`: so many drawn pictures."""

    def head(self, labelled: Any, width: int) -> DenseHead:
        """For what `listed` or `drawn` gave."""

    def objective(self, config: ViTConfig) -> Objective:
        """What is minimised."""

    def about(self, labelled: Any) -> str:
        """For a line: `4 classes: gauge, switch, lamp, button`."""

    def described(self, labelled: Any, resolution: Resolution, answered: Any) -> dict[str, Any]:
        """What the run's document says of the best epoch at a resolution, besides the metric."""

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        # `DenseStep` computes on one device: of several GPUs the others have nothing to do.
        return Learner(
            model, spec, total_steps, objective=self.objective(model.config), **{**options, "strategy": None}
        )

    def calibrating(
        self, examples: Any, config: ViTConfig, spec: TrainSpec, *, strict: bool
    ) -> Iterator[NDArray[np.uint8]]:
        # Every round of batches holds each resolution once.
        batch = min(CALIBRATION_BATCH, len(examples))
        count = min(CALIBRATION_BATCHES, -(-len(examples) // batch)) * len(config.ladder)
        plain = replace(spec, augmentation="none", mosaic=0.0, single_share=0.0, batch=batch, epochs=count)
        batches = self.batches(examples, config, plain, tall=False, strict=strict, single=None)
        return (each.images for each in islice(batches.from_step(0), count))
