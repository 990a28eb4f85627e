"""keypoints: where named points are, such as a gauge's centre and the tip of its needle, or the joints of an animal.

It reads all tokens of the last two blocks (`edgevit.model.keypoint_head`) and gives a heatmap for each point, whose
peak is found outside of the graph (`edgevit_runtime.tasks.heatmap_peaks`). Judged by PCK, the share of points that are
found near enough, and by AP over object keypoint similarity (OKS), as COCO has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from edgevit.tasks.dense_task import DenseTask
from edgevit.tasks.part import PART
from edgevit.tasks.point_judge import PointJudge
from edgevit.tasks.shares import checked_share, share_parser
from edgevit.tasks.task import ClassFigure, Config, Figure, Option, Output

__all__ = ["LEAST_POINT_SCORE", "Keypoints"]

LEAST_POINT_SCORE = 0.2
"""What an artefact says where nobody says otherwise: a point that scores less was not found."""


@dataclass(frozen=True)
class Keypoints(DenseTask):
    """See the module."""

    points: tuple[str, ...]
    """Their names in order."""
    skeleton: tuple[tuple[int, int], ...] = ()
    margin: float | None = None
    """As `edgevit.dense_head.DenseHead` has it: how a box is grown before it is cut out for the model to look at."""
    least_score: float = LEAST_POINT_SCORE

    name: ClassVar[str] = "keypoints"
    metric: ClassVar[str] = "pck"
    figures: ClassVar[tuple[Figure, ...]] = (Figure("pck", "PCK"), Figure("oks_ap", "OKS AP"))
    class_figure: ClassVar[ClassFigure | None] = ClassFigure("pck_by_point", "PCK", "points", "point")
    agreement: ClassVar[str] = "points in the same place"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "least_score",
            f"keypoints: a point that scores less, 0 to 1, is not told [default: {LEAST_POINT_SCORE}].",
            share_parser("least_score"),
        ),
    )
    judging_options: ClassVar[tuple[Option, ...]] = (PART,)
    truths: ClassVar[str] = "points"

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> PointJudge:
        return PointJudge.of(models, options)

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        return "PCK: the share of points found near enough; OKS AP: average precision by point similarity, as COCO's"

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Keypoints:
        model, head = cls.trained(config)
        return cls(
            model.depth,
            model.blocks_read(cls.name),
            head.labels or tuple(f"point {index}" for index in range(head.outputs)),
            head.skeleton,
            head.margin,
            checked_share("least_score", options.get("least_score"), LEAST_POINT_SCORE),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        return (
            Output("heatmaps", "for each place and point how sure it is that the point is there, before a sigmoid"),
        )

    @property
    def self_test(self) -> tuple[str, str]:
        return "heatmaps", "centred"

    def entry(self) -> dict[str, Any]:
        more = {} if self.margin is None else {"margin": self.margin}
        skeleton = [list(pair) for pair in self.skeleton]
        return {"points": list(self.points), "skeleton": skeleton, "least_score": self.least_score, **more}
