"""segment: which class each pixel of a picture shows.

The file puts out `class_logits`, [rows, columns, classes], even places over the prepared picture; they are enlarged to
the picture's own pixels here (`mask_decoding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import texts, whole
from edgevit_runtime.preprocess.fitting import fitting_of
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import Answer, Answering, Command, OnePicture, TryOut, Wish, size_fields
from edgevit_runtime.terminal import one_line

if TYPE_CHECKING:
    import argparse

    from PIL.Image import Image

    from edgevit_runtime.tasks.findings import Region

Array = np.ndarray[Any, Any]

MOST_CLASSES = 254
"""A class map has a byte for each pixel, and one value for what was not seen."""


@dataclass(frozen=True)
class Segment:
    """The task's entry in the manifest."""

    classes: int
    labels: tuple[str, ...] = ()
    """The class names in index order; or empty."""

    name = "segment"

    @property
    def summary(self) -> str:
        shown = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
        return f"{self.classes} classes, one for each pixel  {shown}".rstrip()

    def label(self, index: int) -> str:
        """The class's name, or its index as text."""
        return self.labels[index] if self.labels else str(index)


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Segment:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    task = Segment(whole(entry, "classes", 1), texts(entry, "labels"))
    if task.classes > MOST_CLASSES:
        raise ValueError(f"{task.classes} classes, where a class map holds {MOST_CLASSES}")
    if task.labels and len(task.labels) != task.classes:
        raise ValueError(f"{len(task.labels)} labels for {task.classes} classes")
    for signature in signatures:
        found = signature.output("class_logits").shape
        if len(found) != 4 or found[3] != task.classes:
            raise ValueError(f"{signature.name} has no class_logits of {task.classes} classes")
    return task


@dataclass(frozen=True)
class Segmentation:
    """What each pixel of one picture shows.

    class_map: uint8 [height, width] of the picture itself: the class's index, or 255 where a crop left it out.
    confidence: uint8 [height, width], each pixel's probability in 255ths; None where it was not asked for.
    """

    class_map: Array
    confidence: Array | None
    labels: tuple[str, ...]
    resolution: Resolution
    latency_ms: float
    picture_size: tuple[int, int]
    """(width, height) of the picture."""
    budget_met: bool | None = None
    """With a budget, whether 19 of 20 inferences are within it."""

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """Each class that is there, the largest first, with its share of the picture and its mask."""
        from edgevit_runtime.tasks.findings import regions_of
        from edgevit_runtime.tasks.mask_decoding import ClassMap

        return regions_of(ClassMap(self.class_map, self.confidence), self._label)

    def _label(self, index: int) -> str:
        return self.labels[index] if self.labels else str(index)

    def to_dict(self) -> dict[str, Any]:
        """As `edgevit-run segment --json` prints it; masks are COCO's run lengths, of the picture's own pixels."""
        return {
            **size_fields(self.resolution, self.picture_size),
            "latency_ms": self.latency_ms,
            **({} if self.budget_met is None else {"budget_met": self.budget_met}),
            "regions": [each.to_dict() for each in self.regions],
        }


class Segments:
    """`Model`'s methods for the task."""

    def segment(
        self: Answering, picture: Picture, resolution: ResolutionLike | None = None, *, confidence: bool = False
    ) -> Segmentation:
        """What each pixel of a picture, given as for `classify`, shows.

        confidence: say how sure the model is of each, too, which takes longer.

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` where the artefact has no such task.
        """
        task = self.task(Segment)
        return _segmentation(task, self.answer("segment", picture, resolution), confidence=confidence)

    def segment_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        confidence: bool = False,
        decoders: int = 2,
    ) -> Iterator[Segmentation | PictureError]:
        """`segment` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`."""
        task = self.task(Segment)
        answers = self.answer_many("segment", pictures, resolution, decoders=decoders)
        return (
            each if isinstance(each, PictureError) else _segmentation(task, each, confidence=confidence)
            for each in answers
        )


def decode(task: Segment, answer: Answer) -> Segmentation:
    """As `Model.segment` gives it."""
    return _segmentation(task, answer, confidence=False)


def _segmentation(task: Segment, answer: Answer, *, confidence: bool) -> Segmentation:
    from edgevit_runtime.tasks.mask_decoding import decode_mask

    resolution = answer.signature.resolution
    fitting = fitting_of(answer.picture_size, resolution, answer.signature.preprocessing.policy)
    found = decode_mask(answer.outputs["class_logits"], fitting, confidence=confidence)
    return Segmentation(
        found.classes,
        found.confidence,
        task.labels,
        resolution,
        answer.latency_ms,
        answer.picture_size,
        answer.budget_met,
    )


def _add_segment(parser: argparse.ArgumentParser) -> None:
    from edgevit_runtime.cli.answer_lines import add_picture_options

    draw = "lay the classes over each picture, and write that into DIR"
    add_picture_options(parser, draw=draw, as_json="an object for each picture, its masks in COCO's RLE")
    parser.add_argument("--confidence", action="store_true", help="say how sure it is of each class, too")


def _run_segment(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints the classes of each picture and how much of it each is, and draws them where asked to."""
    from edgevit_runtime.cli.answer_lines import answer_pictures

    with open_model(options) as model:
        task = model.task(Segment)

        def answers(pictures: Sequence[tuple[str, Picture]]) -> Iterable[Segmentation | PictureError]:
            found: Iterable[Segmentation | PictureError] = model.segment_many(
                [source for _, source in pictures], options.resolution, confidence=options.confidence
            )
            return found

        return answer_pictures(options, answers, partial(_lines, task), partial(_drawn, task))


def _lines(_task: Segment, name: str, result: Segmentation) -> list[str]:
    from edgevit_runtime.cli.answer_lines import heading

    shares = ", ".join(f"{each.share:.1%} {one_line(each.label)}" for each in result.regions)
    return [f"{heading(name, result)}  {shares}"]


def _drawn(task: Segment, picture: Image, result: Segmentation) -> Image:
    from edgevit_runtime.tasks.overlay import draw_classes

    return draw_classes(picture, result.class_map, task.labels, background_classes(task.labels))


def background_classes(labels: Iterable[str]) -> list[int]:
    """Those that drawings leave as they are."""
    return [index for index, label in enumerate(labels) if label.lower() in ("background", "_background_")]


COMMANDS: tuple[Command, ...] = (
    Command(
        "segment",
        "Find the class of each pixel of pictures.",
        _add_segment,
        _run_segment,
        ("segment pets.tflite dog.jpg --draw drawn/", "segment pets.tflite photos/ --json > masks.jsonl"),
    ),
)


def _whether(text: str) -> bool:
    if text not in ("0", "1"):
        raise EdgeViTError(f"confidence is 1 to be told, or 0, not {text[:40]!r}")
    return text == "1"


ONE_PICTURE = OnePicture(
    lambda model, picture, resolution, wishes: model.segment(picture, resolution, **wishes),
    _lines,
    lambda _task: {"confidence": Wish("1", _whether)},
    _drawn,
)


def _tell(answer: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{each['share']:.0%} {each['label']}" for each in answer["regions"][:3])
    return f"is {shown} ({answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("segment", _tell)
