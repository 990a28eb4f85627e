"""detect: which things a picture shows, and a box around each.

It reads all tokens of the last two blocks and of an early one (`edgevit.model.detection_head`), and says at each cell
of three grids how far a box's edges are and how sure it is of each class; boxes are decoded outside of the graph
(`edgevit_runtime.tasks.box_decoding`). Judged by average precision (AP), as COCO does, in the pictures' own pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edgevit.tasks.box_judge import BoxJudge
from edgevit.tasks.dense_task import DenseTask
from edgevit.tasks.part import PART
from edgevit.tasks.shares import checked_share, share_parser
from edgevit.tasks.task import ClassFigure, Config, Figure, Option, Output

__all__ = ["LEAST_SCORE", "MOST_OVERLAP", "Detect"]

LEAST_SCORE, MOST_OVERLAP = 0.4, 0.5
"""What an artefact says where nobody says otherwise: what scores less is no box; of two boxes of one class that overlap
by more (intersection over union) the better stays. Stricter than the judge is: AP gains by every doubtful box, and
people who look at boxes, or count them, do not."""


@dataclass(frozen=True)
class Detect(DenseTask):
    """See the module."""

    classes: int
    labels: tuple[str, ...]
    strides: tuple[int, ...]
    """The side of each grid's cells, in pixels."""
    least_score: float = LEAST_SCORE
    most_overlap: float = MOST_OVERLAP

    name: ClassVar[str] = "detect"
    metric: ClassVar[str] = "ap"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("ap", "AP"), Figure("ap50", "AP50"))
    class_figure: ClassVar[ClassFigure | None] = ClassFigure("ap_by_class", "AP")
    agreement: ClassVar[str] = "boxes that both find"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "least_score",
            f"detect, keypoints: what scores less, 0 to 1, is not told [default: {LEAST_SCORE}; keypoints 0.2].",
            share_parser("least_score"),
        ),
        Option(
            "most_overlap",
            f"detect: of two boxes of a class that overlap by more, 0 to 1, one stays [default: {MOST_OVERLAP}].",
            share_parser("most_overlap"),
        ),
    )
    judging_options: ClassVar[tuple[Option, ...]] = (
        PART,
        Option(
            "most_overlap",
            "detect: of two boxes of a class that overlap by more, 0 to 1, one counts [default: 0.6].",
            share_parser("most_overlap"),
        ),
    )
    truths: ClassVar[str] = "boxes"

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> BoxJudge:
        return BoxJudge.of(models, options)

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        return "AP: average precision over classes and overlaps from 0.50 to 0.95, as COCO has it; AP50: at 0.50"

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Detect:
        model, head = cls.trained(config)
        return cls(
            model.depth,
            model.planes_read(cls.name),
            head.outputs,
            head.labels,
            model.cell_strides,
            checked_share("least_score", options.get("least_score"), LEAST_SCORE),
            checked_share("most_overlap", options.get("most_overlap"), MOST_OVERLAP),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        return (
            Output("cell_logits", "for each cell and class how sure it is of a box there, before a sigmoid"),
            Output(
                "log_distances",
                "for each cell the natural logarithm of how far a box's left, top, right and bottom edge are from its "
                "middle, in its own sides",
            ),
        )

    @property
    def self_test(self) -> tuple[str, str]:
        return "log_distances", "raw"  # it sees as much as the logits do, with half the copies

    def entry(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "labels": list(self.labels),
            "strides": list(self.strides),
            "least_score": self.least_score,
            "most_overlap": self.most_overlap,
        }
