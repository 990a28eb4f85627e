"""detect: where the things of each class are, from pictures with boxes."""

from __future__ import annotations

from functools import partial
from typing import Any

from edgevit.config import ViTConfig
from edgevit.data import panels
from edgevit.data.boxes import BoxSet, box_training_sets
from edgevit.dense_head import DenseHead
from edgevit.training.box_examples import BoxBatches, BoxExamples
from edgevit.training.box_loss import detection_loss
from edgevit.training.boxes_held_out import BoxesAnswered, BoxesHeldOut
from edgevit.training.dense_step import Objective
from edgevit.training.lessons.lesson import DenseLesson
from edgevit.training.picture_ladder import picture_ladder
from edgevit.training.spec import TrainSpec
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution


class DetectLesson(DenseLesson):
    metric = "ap"

    def listed(self, request: TrainingRequest, seed: int) -> tuple[BoxSet, BoxSet]:
        return box_training_sets(request.data, share=request.share, seed=seed)

    def fingerprint(self, found: Any) -> bytes:
        return b"".join(each.tobytes() for part in (found.boxes, found.classes, found.crowd) for each in part)

    def ladder(self, found: BoxSet, patch: int) -> tuple[Resolution, ...]:
        return picture_ladder(found.files, patch, found.boxes, found.classes)

    def examples(self, found: BoxSet, most: int, *, strict: bool) -> BoxExamples:
        return BoxExamples.of_files(found, most, strict=strict)

    def drawn(self, count: int, resolution: Resolution, seed: int) -> BoxExamples:
        scenes = panels.panel_set(count, resolution, seed)
        return BoxExamples.of_arrays(scenes.images, scenes.boxes, scenes.classes, panels.CLASSES)

    def head(self, labelled: Any, width: int) -> DenseHead:
        # Its towers run over four times as many cells as there are tokens: wider ones would rival the backbone.
        return DenseHead("detect", len(labelled.labels), labelled.labels, width=max(32, width * 2 // 3))

    def about(self, labelled: Any) -> str:
        return f"{len(labelled.labels)} classes: {', '.join(labelled.labels)}"

    def objective(self, config: ViTConfig) -> Objective:
        loss = partial(detection_loss, strides=config.cell_strides)
        return Objective("detect", loss, (None, None, 5), "float32")

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> BoxBatches:
        return BoxBatches(examples, config.ladder, config.base_resolution, spec, fill=config.fill, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> BoxesHeldOut:
        head = config.dense_head("detect")
        assert head is not None
        return BoxesHeldOut(examples, config.resize, config.fill, head.outputs, config.cell_strides)

    def described(self, labelled: Any, resolution: Resolution, answered: BoxesAnswered) -> dict[str, Any]:
        """The best epoch's figures on the validation pictures."""
        by_class = zip(labelled.labels, answered.figures["ap_by_class"], strict=True)
        classes = [{"label": label, "ap": share} for label, share in by_class]
        return {
            "detection": {**resolution.to_fields(), "labels": list(labelled.labels), **answered.figures},
            "ap_by_class": {**resolution.to_fields(), "classes": classes},
        }
