"""detect: where things are in a picture, each with a box around it.

The file puts out, for every cell of a few grids over the prepared picture, `log_distances` [cells, 4], how far a box's
edges are from the cell's centre, and `cell_logits` [cells, classes]; boxes are made of them here (`box_decoding`), in
the picture's own pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edgevit_runtime.errors import PictureError
from edgevit_runtime.json_values import items, share, texts, whole
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import (
    Answer,
    Answering,
    Command,
    OnePicture,
    TryOut,
    check_share,
    share_wish,
    size_fields,
)
from edgevit_runtime.terminal import one_line
from edgevit_runtime.wording import surest

if TYPE_CHECKING:
    import argparse

    from PIL.Image import Image

    from edgevit_runtime.tasks.findings import Box

CANDIDATES_FOR_SUREST = 100
"""So many are looked at for the surest that is no box: some of them lie on a letterbox's ground."""
SCORES_SHOWN = 5
"""Of each class, on a line for people."""


@dataclass(frozen=True)
class Detect:
    """The task's entry in the manifest."""

    classes: int
    labels: tuple[str, ...]
    """The class names in index order; or empty."""
    strides: tuple[int, ...]
    """Pixels along one side of the cells of each grid, ascending."""
    least_score: float
    """What scores less is no box, unless another limit is asked for."""
    most_overlap: float
    """Of two boxes of one class whose intersection is a larger share of their union, the better stays."""

    name = "detect"

    @property
    def summary(self) -> str:
        shown = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
        return f"boxes of {self.classes} {'class' if self.classes == 1 else 'classes'}  {shown}".rstrip()

    @property
    def limits(self) -> str:
        """What counts, unless other limits are asked for: a line for `inspect`."""
        return f"boxes from a score of {self.least_score:g} on, that overlap by {self.most_overlap:g} at most"

    def label(self, index: int) -> str:
        """The class's name, or its index as text."""
        return self.labels[index] if self.labels else str(index)


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Detect:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    from edgevit_runtime.tasks.box_decoding import grids_of

    task = Detect(
        classes=whole(entry, "classes", 1),
        labels=texts(entry, "labels"),
        strides=tuple(whole({"strides": each}, "strides", 1, 2**16) for each in items(entry, "strides")),
        least_score=share(entry, "least_score"),
        most_overlap=share(entry, "most_overlap"),
    )
    if task.labels and len(task.labels) != task.classes:
        raise ValueError(f"{len(task.labels)} labels for {task.classes} classes")
    if not task.strides or list(task.strides) != sorted(set(task.strides)):
        raise ValueError(f"strides are some numbers, ascending, each once, not {list(task.strides)}")
    for signature in signatures:
        cells = sum(grid.rows * grid.columns for grid in grids_of(signature.resolution, task.strides))
        for name, each in (("log_distances", 4), ("cell_logits", task.classes)):
            found = signature.output(name).shape
            if found != (1, cells, each):
                raise ValueError(
                    f"{signature.name} has {name} {list(found)}, where {cells} cells (strides "
                    f"{', '.join(map(str, task.strides))}) and {task.classes} classes make [1, {cells}, {each}]"
                )
    return task


@dataclass(frozen=True)
class Detection:
    """What was found in one picture: boxes in its own pixels, best first."""

    boxes: tuple[Box, ...]
    resolution: Resolution
    latency_ms: float
    picture_size: tuple[int, int]
    """(width, height) of the picture, in whose pixels the boxes are."""
    least_score: float
    """What scored less is no box."""
    budget_met: bool | None = None
    """With a budget, whether 19 of 20 inferences are within it."""
    surest: Box | None = None
    """Where there are no boxes, what came nearest to one."""

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run detect --json` prints it."""
        return {
            **size_fields(self.resolution, self.picture_size),
            "latency_ms": self.latency_ms,
            **({} if self.budget_met is None else {"budget_met": self.budget_met}),
            "least_score": self.least_score,
            "boxes": [each.to_dict() for each in self.boxes],
            **({} if self.surest is None else {"surest": self.surest.to_dict()}),
        }


class Detects:
    """`Model`'s methods for the task."""

    def detect(
        self: Answering,
        picture: Picture,
        resolution: ResolutionLike | None = None,
        *,
        least_score: float | None = None,
        most_overlap: float | None = None,
    ) -> Detection:
        """Where things are in a picture, given as for `classify`: boxes in its own pixels, best first.

        least_score: what scores less is no box. most_overlap: of two boxes of one class whose intersection is a larger
            share of their union, the better stays. Both 0 to 1; None: as the artefact says.

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` where the artefact has no such task, or a limit is none.
        """
        limits = _Limits.of(self.task(Detect), least_score, most_overlap)
        return limits.detection(self.answer("detect", picture, resolution))

    def detect_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        least_score: float | None = None,
        most_overlap: float | None = None,
        decoders: int = 2,
    ) -> Iterator[Detection | PictureError]:
        """`detect` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`."""
        limits = _Limits.of(self.task(Detect), least_score, most_overlap)
        answers = self.answer_many("detect", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else limits.detection(each) for each in answers)


@dataclass(frozen=True)
class _Limits:
    """Which boxes count."""

    task: Detect
    least_score: float
    most_overlap: float

    @classmethod
    def of(cls, task: Detect, least_score: float | None, most_overlap: float | None) -> _Limits:
        check_share("least_score", least_score)
        check_share("most_overlap", most_overlap)
        return cls(
            task,
            task.least_score if least_score is None else least_score,
            task.most_overlap if most_overlap is None else most_overlap,
        )

    def detection(self, answer: Answer) -> Detection:
        boxes = self._boxes(answer, least_score=self.least_score, most_overlap=self.most_overlap)
        nearest = () if boxes else self._boxes(answer, least_score=0.0, candidates=CANDIDATES_FOR_SUREST)
        return Detection(
            boxes,
            answer.signature.resolution,
            answer.latency_ms,
            answer.picture_size,
            self.least_score,
            answer.budget_met,
            nearest[0] if nearest else None,
        )

    def _boxes(self, answer: Answer, **limits: Any) -> tuple[Box, ...]:
        """limits: those of `decode_boxes`."""
        from edgevit_runtime.tasks.box_decoding import decode_boxes, grids_of
        from edgevit_runtime.tasks.findings import boxes_in_picture

        resolution = answer.signature.resolution
        distances, logits = answer.outputs["log_distances"], answer.outputs["cell_logits"]
        found = decode_boxes(distances, logits, resolution, grids=grids_of(resolution, self.task.strides), **limits)
        fitting = fitting_of(answer.picture_size, resolution, answer.signature.preprocessing.policy)
        return boxes_in_picture(found, fitting, self.task.label)


def decode(task: Detect, answer: Answer) -> Detection:
    """As `Model.detect` gives it."""
    return _Limits.of(task, None, None).detection(answer)


def _add_detect(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.answer_lines import add_picture_options

    draw = "draw the boxes over each picture, and write that into DIR"
    add_picture_options(parser, draw=draw, as_json="an object for each picture, its boxes in its own pixels")
    parser.add_argument(
        "--least-score", type=float, metavar="SHARE", help="what scores less is no box (default: the artefact's)"
    )
    parser.add_argument(
        "--most-overlap",
        type=float,
        metavar="SHARE",
        help="of two boxes of a class that share more (intersection over union), the better stays (default: likewise)",
    )


def _run_detect(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints what was found in each picture, and draws it where asked to."""
    from edgevit_runtime.cli.answer_lines import answer_pictures

    with open_model(options) as model:
        limits = {"least_score": options.least_score, "most_overlap": options.most_overlap}

        def answers(pictures: Sequence[tuple[str, Picture]]) -> Iterable[Detection | PictureError]:
            found: Iterable[Detection | PictureError] = model.detect_many(
                [source for _, source in pictures], options.resolution, **limits
            )
            return found

        task = model.task(Detect)
        _Limits.of(task, **limits)
        return answer_pictures(options, answers, partial(_lines, task), partial(_drawn, task))


def _lines(_task: Detect, name: str, result: Detection) -> list[str]:
    """`dog.jpg  (320 px, 12.3 ms)  2 dog 91% 80%, 1 cat 55%`"""
    from edgevit_runtime.cli.answer_lines import heading

    return [f"{heading(name, result)}  {_told(result.boxes) or _nothing(result)}"]


def _nothing(result: Detection) -> str:
    best = result.surest
    return "nothing" if best is None else f"nothing ({surest(one_line(best.label), best.score, result.least_score)})"


def _drawn(_task: Detect, picture: Image, result: Detection) -> Image:
    from edgevit_runtime.tasks.overlay import draw_boxes

    return draw_boxes(picture, result.boxes)


def _told(boxes: Sequence[Box]) -> str:
    """How many there are of each class, and how sure it is of the best of them."""
    by_class: dict[int, list[Box]] = {}
    for box in boxes:
        by_class.setdefault(box.index, []).append(box)
    return ", ".join(
        f"{len(found)} {one_line(found[0].label)} "
        + " ".join(f"{box.score:.0%}" for box in found[:SCORES_SHOWN])
        + (" …" if len(found) > SCORES_SHOWN else "")
        for found in by_class.values()
    )


COMMANDS: tuple[Command, ...] = (
    Command(
        "detect",
        "Find things in pictures: a box around each.",
        _add_detect,
        _run_detect,
        (
            "detect street.tflite photo.jpg --draw drawn/",
            "detect street.tflite photos/ --json > boxes.jsonl",
            "detect street.tflite --camera 0 --every 0.2 --budget-ms 50",
        ),
    ),
)


ONE_PICTURE = OnePicture(
    lambda model, picture, resolution, wishes: model.detect(picture, resolution, **wishes),
    _lines,
    lambda _task: {name: share_wish(name) for name in ("least_score", "most_overlap")},
    _drawn,
)


def _tell(answer: Mapping[str, Any]) -> str:
    boxes = answer["boxes"]
    best = f", at best {boxes[0]['label']!r} ({boxes[0]['score']:.0%})" if boxes else ""
    if "surest" in answer:
        nearest = answer["surest"]
        best = f" ({surest(repr(nearest['label']), nearest['score'], answer['least_score'])})"
    return f"holds {len(boxes)} {'box' if len(boxes) == 1 else 'boxes'}{best} ({answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("detect", _tell)
