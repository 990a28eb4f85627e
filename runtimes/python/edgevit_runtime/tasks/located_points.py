"""What `keypoints` gives: the points of a picture, or of each of several boxes in it; as JSON, in lines, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.task import size_fields
from edgevit_runtime.terminal import one_line
from edgevit_runtime.wording import surest

if TYPE_CHECKING:
    from PIL.Image import Image

    from edgevit_runtime.tasks.findings import Box, Keypoint


@dataclass(frozen=True)
class BoxedSubject:
    """One box, as it was given, and the points that were found in it.

    box: one that `detect` found, or (xmin, ymin, xmax, ymax).
    """

    box: Box | tuple[float, ...]
    points: tuple[Keypoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        box = self.box
        told = dict(zip(("xmin", "ymin", "xmax", "ymax"), box)) if isinstance(box, tuple) else box.to_dict()
        return {"box": told, "points": [each.to_dict() for each in self.points]}


@dataclass(frozen=True)
class LocatedPoints:
    """Where the points of one picture are, in its own pixels: all of them, however sure the model is.

    points: of what the picture shows; empty where boxes were given.
    subjects: where boxes were given, each with its points, in their order; otherwise None.
    least_score: a point that scores less is not to be seen.
    latency_ms: of all inferences of the picture together.
    picture_size: (width, height) of the picture.
    """

    points: tuple[Keypoint, ...]
    subjects: tuple[BoxedSubject, ...] | None
    least_score: float
    resolution: Resolution
    latency_ms: float
    picture_size: tuple[int, int]
    budget_met: bool | None = None
    """With a budget, whether 19 of 20 inferences are within it."""

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run keypoints --json` prints it."""
        found: dict[str, Any]
        if self.subjects is None:
            found = {"points": [each.to_dict() for each in self.points]}
        else:
            found = {"subjects": [each.to_dict() for each in self.subjects]}
        return {
            **size_fields(self.resolution, self.picture_size),
            "latency_ms": self.latency_ms,
            **({} if self.budget_met is None else {"budget_met": self.budget_met}),
            "least_score": self.least_score,
            **found,
        }

    def lines(self, name: str) -> list[str]:
        """`dog.jpg  (320 px, 12.3 ms)  tip (120, 80) 91%, centre (60, 44) 85%`; of boxes, a line for each below it.

        name: what the picture is called.
        """
        from edgevit_runtime.cli.answer_lines import heading

        if self.subjects is None:
            return [f"{heading(name, self)}  {_told(self.points, self.least_score)}"]
        count = len(self.subjects)
        lines = [f"{heading(name, self)}  {count or 'no'} {'box' if count == 1 else 'boxes'}"]
        for subject in self.subjects:
            box = subject.box
            label = f"{box.label} {box.score:.0%}" if not isinstance(box, tuple) else "box"
            lines.append(f"  {one_line(label)}: {_told(subject.points, self.least_score)}")
        return lines

    def drawn(self, picture: Image, skeleton: Sequence[tuple[int, int]]) -> Image:
        """A copy of an RGB picture with boxes and points that the model is sure of. skeleton: see `draw_points`."""
        from edgevit_runtime.tasks.overlay import draw_boxes, draw_points

        found, subjects = picture, self.subjects or ()
        found = draw_boxes(found, [each.box for each in subjects if not isinstance(each.box, tuple)])
        for points in [self.points] if self.subjects is None else [each.points for each in subjects]:
            found = draw_points(found, points, names=len(subjects) < 2, skeleton=skeleton, least_score=self.least_score)
        return found


def _told(points: Sequence[Keypoint], least_score: float) -> str:
    seen = [each for each in points if each.score >= least_score]
    if not seen:
        best = max(points, key=lambda each: each.score)
        return f"none ({surest(one_line(best.name), best.score, least_score)})"
    return ", ".join(f"{one_line(each.name)} ({each.x:.0f}, {each.y:.0f}) {each.score:.0%}" for each in seen)
