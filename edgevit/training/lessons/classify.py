"""classify: what the whole picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.errors import PictureError
from edgevit.model import ViT
from edgevit.training.batches import MixedBatches
from edgevit.training.held_out import HeldOut
from edgevit.training.learner import Learner
from edgevit.training.lessons.lesson import CALIBRATION_BATCH, CALIBRATION_BATCHES, Lesson
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

    def calibrating(
        self, examples: Any, config: ViTConfig, spec: TrainSpec, *, strict: bool
    ) -> Iterator[NDArray[np.uint8]]:
        for resolution in config.ladder:
            skip = None if strict else _ignore
            prepared = examples.prepared(resolution, config.resize, CALIBRATION_BATCH, config.fill, skip)
            # Sets are ordered by class: every n-th batch sees them all.
            count = -(-len(examples.classes) // CALIBRATION_BATCH)
            step = max(1, count // CALIBRATION_BATCHES)
            yield from (images for images, _ in islice(prepared, 0, step * CALIBRATION_BATCHES, step))


def _ignore(_index: int, _error: PictureError) -> None:
    """A picture among many that only tell ranges."""
