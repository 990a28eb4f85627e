"""embed: vectors that are near each other where pictures show the same.

Learned as classes are, against a vector of each class, with which the picture's is compared by its cosine (Zhai and
Wu 2019, https://arxiv.org/abs/1811.12649): no pairs need be drawn, any batch teaches. The vectors of the classes are
kept, so that the model can name them, too.
"""

from __future__ import annotations

from typing import Any

from edgevit.config import ViTConfig
from edgevit.model import ViT
from edgevit.training.held_out import VectorsHeldOut
from edgevit.training.learner import Learner
from edgevit.training.lessons.classify import ClassifyLesson
from edgevit.training.spec import TrainSpec


class EmbedLesson(ClassifyLesson):
    metric = "recall_at_1"

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> VectorsHeldOut:
        return VectorsHeldOut(examples, config.resize, config.fill, strict=strict)

    def learner(self, model: ViT, spec: TrainSpec, total_steps: int, examples: Any, **options: Any) -> Learner:
        return super().learner(model, spec, total_steps, examples, task="embed", **options)
