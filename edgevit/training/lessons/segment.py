"""segment: a class at each place, from pictures with masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevit.config import ViTConfig
from edgevit.data import panels
from edgevit.data.masks import MaskSet, mask_training_sets
from edgevit.dense_head import DenseHead
from edgevit.training.dense_step import Objective
from edgevit.training.lessons.lesson import DenseLesson
from edgevit.training.losses import place_cross_entropy
from edgevit.training.mask_examples import MaskBatches, MaskExamples
from edgevit.training.masks_held_out import MasksAnswered, MasksHeldOut
from edgevit.training.spec import TrainSpec
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution


class SegmentLesson(DenseLesson):
    metric = "miou"

    def listed(self, request: TrainingRequest, seed: int) -> tuple[MaskSet, MaskSet]:
        return mask_training_sets(request.data, ignored=request.ignored, share=request.share, seed=seed)

    def fingerprint(self, found: Any) -> bytes:
        return "\n".join(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in found.masks).encode()

    def examples(self, found: MaskSet, most: int, *, strict: bool) -> MaskExamples:
        return MaskExamples.of_files(found, most, strict=strict)

    def drawn(self, count: int, resolution: Resolution, seed: int) -> MaskExamples:
        scenes = panels.panel_set(count, resolution, seed)
        return MaskExamples.of_arrays(scenes.images, scenes.masks, panels.MASK_NAMES)

    def head(self, labelled: Any, width: int) -> DenseHead:
        ignored = getattr(labelled, "ignored", None)  # drawn scenes have no such thing
        return DenseHead("segment", len(labelled.labels), labelled.labels, width=width, ignored=ignored)

    def about(self, labelled: Any) -> str:
        return f"{len(labelled.labels)} classes: {', '.join(labelled.labels)}"

    def objective(self, config: ViTConfig) -> Objective:
        return Objective(
            "segment", lambda masks, logits, size: place_cross_entropy(masks, logits), (None, None, None), "uint8"
        )

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> MaskBatches:
        return MaskBatches(examples, config.ladder, config.base_resolution, spec, fill=config.fill, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> MasksHeldOut:
        head = config.dense_head("segment")
        assert head is not None
        return MasksHeldOut(examples, config.resize, config.fill, head.outputs)

    def described(self, labelled: Any, resolution: Resolution, answered: MasksAnswered) -> dict[str, Any]:
        """Intersection over union of each class on the validation pictures; None for one that is not there."""
        shares, pixels = answered.by_class, answered.matrix.sum(axis=1)
        classes = [
            {
                "label": label,
                "pixels": int(pixels[index]),
                "iou": None if np.isnan(shares[index]) else float(shares[index]),
            }
            for index, label in enumerate(labelled.labels)
        ]
        return {"iou_by_class": {**resolution.to_fields(), "classes": classes}}
