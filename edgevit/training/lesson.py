"""What a run teaches: how its batches are made, what is minimised, and by what an epoch is judged. One row a task."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from edgevit.config import ViTConfig
from edgevit.errors import PictureError
from edgevit.model import ViT
from edgevit.training.batches import MixedBatches
from edgevit.training.held_out import HeldOut
from edgevit.training.learner import Learner
from edgevit.training.losses import class_weights
from edgevit.training.mask_examples import MaskBatches
from edgevit.training.masks_held_out import MasksHeldOut
from edgevit.training.spec import TrainSpec
from edgevit_runtime.resolution import Resolution

__all__ = ["LESSONS", "HeldOutLike", "Judged", "Lesson"]


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

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MixedBatches:
        """options: those of `MixedBatches`."""

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> HeldOutLike: ...

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        """options: those of `Learner`."""


class ClassifyLesson(Lesson):
    metric = "top1"

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MixedBatches:
        return MixedBatches(examples, config.ladder, config.base_resolution, spec, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> HeldOut:
        return HeldOut(examples, config.resize, config.fill, strict=strict)

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        weights = class_weights(examples.classes, model.config.classes) if spec.class_weights else None
        return Learner(model, spec, total_steps, weights=weights, **options)


class SegmentLesson(Lesson):
    metric = "miou"

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MixedBatches:
        return MaskBatches(examples, config.ladder, config.base_resolution, spec, fill=config.fill, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> MasksHeldOut:
        head = config.dense_head("segment")
        assert head is not None
        return MasksHeldOut(examples, config.resize, config.fill, head.outputs)

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        # `DenseStep` computes on one device: of several GPUs the others have nothing to do.
        return Learner(model, spec, total_steps, task="segment", **{**options, "strategy": None})


LESSONS: dict[str, Lesson] = {"classify": ClassifyLesson(), "segment": SegmentLesson()}
