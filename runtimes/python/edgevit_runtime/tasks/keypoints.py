"""keypoints: where named points of one thing are: of what a picture shows, or of each of several boxes in it.

The file puts out `heatmaps`, [rows, columns, points], even places over the prepared picture; each point is where its
map is highest (`heatmap_peaks`), in the picture's own pixels. A model that was trained on boxes says by its `margin`
how much around them it wants to see (`box_crops`).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import items, number, share, texts, whole
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import Picture, load_picture
from edgevit_runtime.resolution import ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.asked_boxes import BoxLike, as_given, corners_of, read_boxes
from edgevit_runtime.tasks.located_points import BoxedSubject, LocatedPoints
from edgevit_runtime.tasks.task import Answer, Answering, Command, OnePicture, TryOut, Wish, check_share, share_wish
from edgevit_runtime.terminal import complain
from edgevit_runtime.wording import counted, surest

if TYPE_CHECKING:
    import argparse

    from PIL.Image import Image

    from edgevit_runtime.tasks.findings import Keypoint

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

    @property
    def caution(self) -> str:
        """What to know where it is asked without boxes; empty where it looks at whole pictures anyway."""
        if self.margin is None:
            return ""
        return "keypoints: it learned from crops around boxes, and without boxes it is shown whole pictures"

    @property
    def limits(self) -> str:
        """What counts: a line for `inspect`."""
        return f"points from a score of {self.least_score:g} on are there"


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


class FindsKeypoints:
    """`Model`'s methods for the task."""

    def keypoints(
        self: Answering,
        picture: Picture,
        resolution: ResolutionLike | None = None,
        *,
        boxes: Iterable[BoxLike] | None = None,
        least_score: float | None = None,
    ) -> LocatedPoints:
        """Where the points of what a picture shows are; the picture is given as for `classify`.

        boxes: look at each of these instead, for a model that was trained so: those of `detect`, or xmin, ymin, xmax,
            ymax in the picture's own pixels.
        least_score: a point that scores less, from 0 to 1, is not to be seen; None: as the artefact says. The result
            has all points, whatever they score.

        Raises `PictureError` for an unreadable picture or a box beyond it, `ResolutionError` for a resolution that is
        not on the ladder, `EdgeViTError` where the artefact has no such task, or does not look at boxes.
        """
        task = _asked(self.task(Keypoints), least_score)
        if boxes is None:
            return decode(task, self.answer("keypoints", picture, resolution))
        return _of_boxes(self, task, picture, resolution, list(boxes))

    def keypoints_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        boxes: Iterable[Iterable[BoxLike]] | None = None,
        least_score: float | None = None,
        decoders: int = 2,
    ) -> Iterator[LocatedPoints | PictureError]:
        """`keypoints` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`.

        boxes: those of the first picture, of the second, ...; pictures are then a list, and answered one by one.
        """
        task = _asked(self.task(Keypoints), least_score)
        if boxes is not None:
            _margin(task)
            if isinstance(pictures, (str, os.PathLike)):
                raise EdgeViTError("boxes are given picture by picture: give the pictures as a list, not a folder")
            return _each_with_boxes(self, task, pictures, resolution, boxes)
        answers = self.answer_many("keypoints", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else decode(task, each) for each in answers)


def _asked(task: Keypoints, least_score: float | None) -> Keypoints:
    """The task with the limit that was asked for."""
    check_share("least_score", least_score)
    return task if least_score is None else replace(task, least_score=least_score)


def decode(task: Keypoints, answer: Answer) -> LocatedPoints:
    """As `Model.keypoints` gives it, without boxes."""
    points = _points(task, answer)
    return LocatedPoints(
        points,
        None,
        task.least_score,
        answer.signature.resolution,
        answer.latency_ms,
        answer.picture_size,
        answer.budget_met,
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
    given = [as_given(each) for each in boxes]
    pixels = load_picture(picture, model.max_pixels)
    taken = model._signature("keypoints", resolution).resolution  # one for all boxes, also with a budget
    around = [BoxAround(*corners_of(each), margin=margin) for each in given]
    answers = [model.answer("keypoints", pixels, taken, box=each) for each in around]
    return LocatedPoints(
        (),
        tuple(BoxedSubject(box, _points(task, answer)) for box, answer in zip(given, answers)),
        task.least_score,
        taken,
        sum((each.latency_ms for each in answers), 0.0),
        (pixels.shape[1], pixels.shape[0]),
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


def _add_keypoints(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.answer_lines import add_picture_options

    draw = "draw the points over each picture, and write that into DIR"
    add_picture_options(parser, draw=draw, as_json="an object for each picture, its points in its own pixels")
    parser.add_argument(
        "--least-score",
        type=float,
        metavar="SHARE",
        help="a point that scores less is not to be seen (default: the artefact's)",
    )
    parser.add_argument(
        "--boxes",
        metavar="FILE.jsonl",
        help="look at each of these boxes: what `edgevit-run detect --json` printed of the same pictures",
    )


def _run_keypoints(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints where the points of each picture are, and draws them where asked to."""
    from edgevit_runtime.cli.answer_lines import answer_pictures
    from edgevit_runtime.cli.box_lines import read_box_lines

    if options.boxes is not None and options.camera is not None:
        raise EdgeViTError("--boxes are those of pictures that detect was shown: leave out either them or --camera")
    by_name = None if options.boxes is None else read_box_lines(options.boxes)
    with open_model(options) as model:
        task = model.task(Keypoints)
        check_share("least_score", options.least_score)
        if by_name is not None:
            _margin(task)
        elif task.caution:
            complain("edgevit-run", f"{task.caution} (--boxes)")

        def answers(pictures: Sequence[tuple[str, Picture]]) -> Iterable[LocatedPoints | PictureError]:
            boxes = None if by_name is None else [by_name.of(name) for name, _ in pictures]
            found: Iterable[LocatedPoints | PictureError] = model.keypoints_many(
                [source for _, source in pictures], options.resolution, boxes=boxes, least_score=options.least_score
            )
            return found

        return answer_pictures(options, answers, partial(_lines, task), partial(_drawn, task))


def _lines(_task: Keypoints, name: str, result: LocatedPoints) -> list[str]:
    return result.lines(name)


def _drawn(task: Keypoints, picture: Image, result: LocatedPoints) -> Image:
    return result.drawn(picture, task.skeleton)


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


ONE_PICTURE = OnePicture(
    lambda model, picture, resolution, wishes: model.keypoints(picture, resolution, **wishes),
    _lines,
    lambda task: {
        "least_score": share_wish("least_score"),
        **({} if task.margin is None else {"boxes": Wish("XMIN,YMIN,XMAX,YMAX", read_boxes)}),
    },
    _drawn,
)


def _tell(answer: Mapping[str, Any]) -> str:
    least, found = answer["least_score"], answer["points"]
    seen = [each for each in found if each["score"] >= least]
    points = ", ".join(f"{each['name']} at ({each['x']:.0f}, {each['y']:.0f})" for each in seen[:3])
    if not seen:
        best = max(found, key=lambda each: each["score"])
        points = f"no point ({surest(best['name'], best['score'], least)})"
    return f"has {points} ({answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("keypoints", _tell)
