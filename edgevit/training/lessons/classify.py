"""classify: what the whole picture shows."""

from __future__ import annotations

from typing import Any

from edgevit.config import ViTConfig
from edgevit.model import ViT
from edgevit.training.batches import MixedBatches
from edgevit.training.held_out import HeldOut
from edgevit.training.learner import Learner
from edgevit.training.lessons.lesson import Lesson
from edgevit.training.losses import class_weights
from edgevit.training.spec import TrainSpec


class ClassifyLesson(Lesson):
    metric = "top1"

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MixedBatches:
        return MixedBatches(examples, config.ladder, config.base_resolution, spec, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> HeldOut:
        return HeldOut(examples, config.resize, config.fill, strict=strict)

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        weights = class_weights(examples.classes, model.config.classes) if spec.class_weights else None
        return Learner(model, spec, total_steps, weights=weights, **options)
