"""keypoints: where named points of one thing are: of what a picture shows, or of each of several boxes in it.

The file puts out `heatmaps`, [rows, columns, points], even places over the prepared picture; each point is where its
map is highest (`heatmap_peaks`), in the picture's own pixels. A model that was trained on boxes says by its `margin`
how much around them it wants to see (`box_crops`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Union

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import items, number, share, texts, whole
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import Picture, load_picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import Answer, Answering, Command, TryOut
from edgevit_runtime.terminal import one_line
from edgevit_runtime.wording import counted

if TYPE_CHECKING:
    import argparse

    from edgevit_runtime.tasks.findings import Box, Keypoint

BoxLike = Union["Box", Sequence[float]]
"""A `Box` that `detect` found, or xmin, ymin, xmax, ymax in the picture's own pixels."""
MOST_MARGIN = 2.0
"""Beyond it a box is a small part of what the model sees."""


@dataclass(frozen=True)
class Keypoints:
    """The task's entry in the manifest."""

    points: tuple[str, ...]
    """Their names."""
    skeleton: tuple[tuple[int, int], ...]
    """Which of them a drawing joins, by their indices."""
    least_score: float
    """A point that scores less is not to be seen."""
    margin: float | None = None
    """By which share of its longer side a box grows on each side; None for a model of whole pictures."""

    name = "keypoints"

    @property
    def summary(self) -> str:
        shown = ", ".join(self.points[:8]) + (", …" if len(self.points) > 8 else "")
        of = "" if self.margin is None else f" of each box, grown by {self.margin:.0%}"
        return f"{counted(len(self.points), 'point')}{of}  {shown}"


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Keypoints:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    points = texts(entry, "points")
    if not points or not all(points) or len(set(points)) < len(points):
        raise ValueError(f"points are some names, each once, not {ascii(points)[:60]}")
    task = Keypoints(
        points, tuple(_pair(each, len(points)) for each in items(entry, "skeleton")), share(entry, "least_score")
    )
    if "margin" in entry:
        margin = number(entry, "margin")
        if not 0.0 <= margin <= MOST_MARGIN:
            raise ValueError(f"margin is a number from 0 to {MOST_MARGIN:g}, not {margin:g}")
        task = Keypoints(task.points, task.skeleton, task.least_score, margin)
    for signature in signatures:
        found = signature.output("heatmaps").shape
        if len(found) != 4 or found[3] != len(points):
            raise ValueError(f"{signature.name} has heatmaps {list(found)}, not of {counted(len(points), 'point')}")
    return task


def _pair(value: Any, points: int) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"skeleton holds pairs of points, not {ascii(value)[:60]}")
    one, other = (whole({"skeleton": each}, "skeleton", 0, points - 1) for each in value)
    return one, other


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
    least_score: what the artefact says: a point that scores less is not to be seen.
    latency_ms: of all inferences of the picture together.
    """

    points: tuple[Keypoint, ...]
    subjects: tuple[BoxedSubject, ...] | None
    least_score: float
    resolution: Resolution
    latency_ms: float
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
            **self.resolution.to_fields(),
            "latency_ms": self.latency_ms,
            **({} if self.budget_met is None else {"budget_met": self.budget_met}),
            "least_score": self.least_score,
            **found,
        }


class FindsKeypoints:
    """`Model`'s methods for the task."""

    def keypoints(
        self: Answering,
        picture: Picture,
        resolution: ResolutionLike | None = None,
        *,
        boxes: Iterable[BoxLike] | None = None,
    ) -> LocatedPoints:
        """Where the points of what a picture shows are; the picture is given as for `classify`.

        boxes: look at each of these instead, for a model that was trained so: those of `detect`, or xmin, ymin, xmax,
            ymax in the picture's own pixels.

        Raises `PictureError` for an unreadable picture or a box beyond it, `ResolutionError` for a resolution that is
        not on the ladder, `EdgeViTError` where the artefact has no such task, or does not look at boxes.
        """
        task = self.task(Keypoints)
        if boxes is None:
            return _located(task, self.answer("keypoints", picture, resolution))
        return _of_boxes(self, task, picture, resolution, list(boxes))

    def keypoints_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        boxes: Iterable[Iterable[BoxLike]] | None = None,
        decoders: int = 2,
    ) -> Iterator[LocatedPoints | PictureError]:
        """`keypoints` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`.

        boxes: those of the first picture, of the second, ...; pictures are then a list, and answered one by one.
        """
        task = self.task(Keypoints)
        if boxes is not None:
            _margin(task)
            if isinstance(pictures, (str, os.PathLike)):
                raise EdgeViTError("boxes are given picture by picture: give the pictures as a list, not a folder")
            return _each_with_boxes(self, task, pictures, resolution, boxes)
        answers = self.answer_many("keypoints", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else _located(task, each) for each in answers)


def _located(task: Keypoints, answer: Answer) -> LocatedPoints:
    points = _points(task, answer)
    return LocatedPoints(
        points, None, task.least_score, answer.signature.resolution, answer.latency_ms, answer.budget_met
    )


def _points(task: Keypoints, answer: Answer) -> tuple[Keypoint, ...]:
    from edgevit_runtime.tasks.findings import points_in_picture
    from edgevit_runtime.tasks.heatmap_peaks import find_peaks

    resolution = answer.signature.resolution
    peaks = find_peaks(answer.outputs["heatmaps"], resolution)
    place = answer.crop or fitting_of(answer.picture_size, resolution, answer.signature.preprocessing.policy)
    return points_in_picture(peaks, place, task.points)


def _of_boxes(
    model: Answering, task: Keypoints, picture: Picture, resolution: ResolutionLike | None, boxes: Sequence[BoxLike]
) -> LocatedPoints:
    from edgevit_runtime.preprocess.box_crops import BoxAround

    margin = _margin(task)
    given = [_as_given(each) for each in boxes]
    pixels = load_picture(picture, model.max_pixels)
    taken = model._signature("keypoints", resolution).resolution  # one for all boxes, also with a budget
    around = [BoxAround(*_corners(each), margin=margin) for each in given]
    answers = [model.answer("keypoints", pixels, taken, box=each) for each in around]
    return LocatedPoints(
        (),
        tuple(BoxedSubject(box, _points(task, answer)) for box, answer in zip(given, answers)),
        task.least_score,
        taken,
        sum((each.latency_ms for each in answers), 0.0),
        answers[-1].budget_met if answers else None,
    )


def _each_with_boxes(
    model: Answering,
    task: Keypoints,
    pictures: Iterable[Picture],
    resolution: ResolutionLike | None,
    boxes: Iterable[Iterable[BoxLike]],
) -> Iterator[LocatedPoints | PictureError]:
    for picture, those in itertools.zip_longest(pictures, boxes):
        if picture is None or those is None:
            raise EdgeViTError("there are as many lists of boxes as pictures: for a picture without any, an empty one")
        try:
            yield _of_boxes(model, task, picture, resolution, list(those))
        except PictureError as error:
            yield error


def _margin(task: Keypoints) -> float:
    if task.margin is None:
        raise EdgeViTError(
            "the artefact looks at whole pictures, not at boxes: its manifest has no margin; leave the boxes out"
        )
    return task.margin


def _as_given(box: BoxLike) -> Box | tuple[float, ...]:
    from edgevit_runtime.tasks.findings import Box

    if isinstance(box, Box):
        return box
    try:
        corners = tuple(map(float, box))
    except (TypeError, ValueError):
        corners = ()
    if len(corners) != 4:
        raise EdgeViTError(f"a box is xmin, ymin, xmax, ymax, or one that detect found, not {ascii(box)[:60]}")
    return corners


def _corners(box: Box | tuple[float, ...]) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = box if isinstance(box, tuple) else (box.xmin, box.ymin, box.xmax, box.ymax)
    return xmin, ymin, xmax, ymax


def _add_keypoints(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.answer_lines import add_picture_options

    draw = "draw the points over each picture, and write that into DIR"
    add_picture_options(parser, draw=draw, as_json="an object for each picture, its points in its own pixels")
    parser.add_argument(
        "--boxes",
        metavar="FILE.jsonl",
        help="look at each of these boxes: what `edgevit-run detect --json` printed of the same pictures",
    )


def _run_keypoints(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints where the points of each picture are, and draws them where asked to."""
    from edgevit_runtime.cli.answer_lines import answer_pictures
    from edgevit_runtime.cli.box_lines import read_box_lines

    by_name = None if options.boxes is None else read_box_lines(options.boxes)
    with open_model(options) as model:
        task = model.task(Keypoints)
        if by_name is not None:
            _margin(task)

        def answers(pictures: Sequence[tuple[str, Picture]]) -> Iterable[LocatedPoints | PictureError]:
            boxes = None if by_name is None else [by_name.of(name) for name, _ in pictures]
            found: Iterable[LocatedPoints | PictureError] = model.keypoints_many(
                [source for _, source in pictures], options.resolution, boxes=boxes
            )
            return found

        return answer_pictures(options, answers, point_lines, lambda picture, result: _drawn(picture, result, task))


def point_lines(name: str, result: LocatedPoints) -> list[str]:
    """`dog.jpg  (320 px, 12.3 ms)  tip (120, 80) 91%, centre (60, 44) 85%`; of boxes, a line for each below it."""
    from edgevit_runtime.cli.answer_lines import heading

    if result.subjects is None:
        return [f"{heading(name, result)}  {_told(result.points, result.least_score)}"]
    count = len(result.subjects)
    lines = [f"{heading(name, result)}  {count or 'no'} {'box' if count == 1 else 'boxes'}"]
    for subject in result.subjects:
        box = subject.box
        label = f"{box.label} {box.score:.0%}" if not isinstance(box, tuple) else "box"
        lines.append(f"  {one_line(label)}: {_told(subject.points, result.least_score)}")
    return lines


def _told(points: Sequence[Keypoint], least_score: float) -> str:
    seen = [each for each in points if each.score >= least_score]
    return ", ".join(f"{one_line(each.name)} ({each.x:.0f}, {each.y:.0f}) {each.score:.0%}" for each in seen) or "none"


def _drawn(picture: Any, result: LocatedPoints, task: Keypoints) -> Any:
    from edgevit_runtime.tasks.overlay import draw_boxes, draw_points

    drawn, subjects = picture, result.subjects or ()
    drawn = draw_boxes(drawn, [each.box for each in subjects if not isinstance(each.box, tuple)])
    for points in [result.points] if result.subjects is None else [each.points for each in subjects]:
        drawn = draw_points(
            drawn, points, names=len(subjects) < 2, skeleton=task.skeleton, least_score=result.least_score
        )
    return drawn


COMMANDS: tuple[Command, ...] = (
    Command(
        "keypoints",
        "Find named points of what pictures show.",
        _add_keypoints,
        _run_keypoints,
        (
            "keypoints dials.tflite gauge.jpg --draw drawn/",
            "keypoints hands.tflite photos/ --boxes boxes.jsonl --json",
        ),
    ),
)


def _tell(answer: Mapping[str, Any]) -> str:
    points = ", ".join(f"{each['name']} at ({each['x']:.0f}, {each['y']:.0f})" for each in answer["points"][:3])
    return f"has {points} ({answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("keypoints", _tell)
