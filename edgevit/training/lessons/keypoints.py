"""keypoints: where named points of a subject are, from pictures in which they are marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.config import ViTConfig
from edgevit.data import panels
from edgevit.data.found_points import HIDDEN, UNLABELLED, VISIBLE
from edgevit.data.points import point_training_sets
from edgevit.dense_head import DenseHead
from edgevit.subject_crops import subject_frame
from edgevit.training.dense_step import Objective
from edgevit.training.lessons.lesson import DenseLesson
from edgevit.training.picture_ladder import ladder_of, picture_ladder
from edgevit.training.point_examples import PointBatches, PointExamples
from edgevit.training.point_loss import heatmap_loss
from edgevit.training.points_held_out import PointsAnswered, PointsHeldOut
from edgevit.training.shown_subjects import ShownSubjects, shown_subjects
from edgevit.training.spec import TrainSpec
from edgevit.training.training_request import TrainingRequest
from edgevit_runtime.resolution import Resolution

NEEDLE = ((0, 1),)
"""What is drawn between a gauge's points."""
ENDLESS = (1 << 30, 1 << 30)
"""The shape of a grown box is looked at, wherever its picture ends."""


class KeypointsLesson(DenseLesson):
    metric = "pck"

    def listed(self, request: TrainingRequest, seed: int) -> tuple[ShownSubjects, ShownSubjects]:
        return shown_subjects(*point_training_sets(request.data, share=request.share, seed=seed))

    def fingerprint(self, found: Any) -> bytes:
        return b"".join(each.tobytes() for part in (found.points, found.boxes) for each in part)

    def count(self, found: ShownSubjects) -> int:
        return found.subjects

    def unit(self, labelled: Any) -> str:
        return "picture" if labelled.margin is None else "subject"

    def ladder(self, found: ShownSubjects, patch: int) -> tuple[Resolution, ...]:
        if found.margin is None:
            return picture_ladder(found.files, patch)
        frames = [subject_frame(box, found.margin, ENDLESS) for boxes in found.boxes for box in boxes if _extends(box)]
        return ladder_of([(xmax - xmin, ymax - ymin) for xmin, ymin, xmax, ymax in frames], patch)

    def examples(self, found: ShownSubjects, most: int, *, strict: bool) -> PointExamples:
        return PointExamples.of_files(found, most, strict=strict)

    def drawn(self, count: int, resolution: Resolution, seed: int) -> PointExamples:
        """One large gauge a picture."""
        scenes = panels.one_gauge_set(count, resolution, seed)
        size = resolution.width, resolution.height
        points = [_marked(of_picture[0], size) for of_picture in scenes.points]
        boxes = [of_picture[0] for of_picture in scenes.boxes]
        return PointExamples.of_arrays(scenes.images, points, boxes, panels.POINTS, NEEDLE)

    def head(self, labelled: Any, width: int) -> DenseHead:
        flips = tuple(labelled.flips)
        return DenseHead(
            "keypoints",
            len(labelled.names),
            labelled.names,
            width=width,
            skeleton=labelled.skeleton,
            flips=() if flips == tuple(range(len(flips))) else flips,
            margin=labelled.margin,
        )

    def about(self, labelled: Any) -> str:
        return f"{len(labelled.names)} points: {', '.join(labelled.names)}"

    def objective(self, config: ViTConfig) -> Objective:
        return Objective("keypoints", heatmap_loss, (None, None, 3), "float32")

    def batches(self, examples: Any, config: ViTConfig, spec: TrainSpec, **options: Any) -> PointBatches:
        return PointBatches(examples, config.ladder, config.base_resolution, spec, fill=config.fill, **options)

    def validation(self, examples: Any, config: ViTConfig, *, strict: bool) -> PointsHeldOut:
        return PointsHeldOut(examples, config.resize, config.fill)

    def described(self, labelled: Any, resolution: Resolution, answered: PointsAnswered) -> dict[str, Any]:
        """The best epoch's figures on the validation pictures."""
        shown = {**resolution.to_fields(), "points": list(labelled.names), "margin": labelled.margin}
        by_point = zip(labelled.names, answered.figures["pck_by_point"], strict=True)
        rows = [{"label": name, "pck": share} for name, share in by_point]
        return {
            "keypoints": {**shown, "subjects": answered.count, **answered.figures},
            "pck_by_point": {**resolution.to_fields(), "classes": rows},
        }


def _marked(points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """A gauge's points as `PanelScenes` has them, [points, 3], as labels have them: what is outside has none."""
    inside = np.all((points[:, :2] >= 0.0) & (points[:, :2] < size), axis=1)
    seen = np.where(inside, np.where(points[:, 2] > 0, VISIBLE, HIDDEN), UNLABELLED)
    return np.concatenate([points[:, :2] * inside[:, np.newaxis], seen[:, None]], axis=1).astype(np.float32)


def _extends(box: NDArray[np.float32]) -> bool:
    return bool((box[2:] > box[:2]).any())
