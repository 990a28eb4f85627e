"""image-text: pictures and texts whose vectors are near each other where they belong together."""

from __future__ import annotations

from typing import Any

from edgevit.config import ViTConfig
from edgevit.training.learner import Learner
from edgevit.training.lessons.classify import ClassifyLesson
from edgevit.training.pairs_held_out import PairsHeldOut
from edgevit.training.pairs_learner import PairsLearner
from edgevit.training.spec import TrainSpec


class PairsLesson(ClassifyLesson):
    metric = "recall_at_1"

    def picture_config(self, config: Any) -> ViTConfig:
        found: ViTConfig = config.image
        return found

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> PairsHeldOut:
        return PairsHeldOut(examples, config.resize, config.fill, strict=strict)

    def learner(self, model: Any, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        # All pairs of a batch are compared with each other: of several GPUs the others have nothing to do.
        return PairsLearner(model, spec, total_steps, tokens=examples.tokens, **{**options, "strategy": None})
