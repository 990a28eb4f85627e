"""Pictures with points, as training wants them, and how batches of them are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from edgevit.errors import PictureError
from edgevit.point_accuracy import SubjectTruth
from edgevit.subject_crops import Corners, subject_crop, subject_frame
from edgevit.training.batches import MixedBatches
from edgevit.training.mask_examples import Colour
from edgevit.training.placement import Jitter, Placement, draw_placement, get_jitter, place, place_points
from edgevit.training.reading import read_each, shrunk
from edgevit.training.shown_subjects import ShownSubjects
from edgevit_runtime.preprocess.box_crops import BoxCrop
from edgevit_runtime.preprocess.fitting import laid_out
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution

TURN_DEG = {"photo": 30.0}
"""By augmentation; others turn nothing. (MMPose turns people by up to 40, https://github.com/open-mmlab/mmpose)"""
SCALE = {"photo": (0.7, 1.4)}
"""By augmentation, in the place of `Jitter.scale`: what is enlarged more shows too few of its points."""
ANY_SIDE = Resolution(64)
"""Which part of a picture a crop is of does not depend on the resolution."""


@dataclass(frozen=True)
class PointExample:
    """One subject, and the part of its picture that is kept.

    picture: the part, maybe made smaller. part: where it lies in the whole picture, in its pixels.
    truth: the subject, in pixels of the whole picture.
    """

    picture: Image.Image
    part: Corners
    truth: SubjectTruth


class PointExamples:
    """Subjects and their pictures, in memory."""

    def __init__(
        self,
        examples: Sequence[PointExample],
        names: tuple[str, ...],
        *,
        skeleton: tuple[tuple[int, int], ...] = (),
        flips: tuple[int, ...] = (),
        margin: float | None = None,
        files: tuple[Path, ...] = (),
        skipped: Mapping[Path, PictureError] | None = None,
    ) -> None:
        """margin: as `DenseHead` has it. The rest as `PointSet` has it."""
        self._examples, self.names, self.skeleton, self.flips = examples, names, skeleton, flips
        self.margin, self.files = margin, files
        self.skipped = dict(skipped or {})
        """The files that could not be read."""

    @classmethod
    def of_arrays(
        cls,
        images: NDArray[np.uint8],
        points: Sequence[NDArray[np.float32]],
        boxes: Sequence[NDArray[np.float32]],
        names: tuple[str, ...],
        skeleton: tuple[tuple[int, int], ...] = (),
    ) -> PointExamples:
        """Whole pictures of one subject each: images [n, H, W, 3], of each picture points [points, 3] and a box [4]."""
        size = images.shape[2], images.shape[1]
        whole = subject_frame(boxes[0], None, size)
        examples = []
        for image, marked, box in zip(images, points, boxes, strict=True):
            inside = np.clip(box, 0.0, size * 2)
            truth = SubjectTruth(marked, inside, float(np.prod(inside[2:] - inside[:2])), size)
            examples.append(PointExample(Image.fromarray(image), whole, truth))
        return cls(examples, names, skeleton=skeleton)

    @classmethod
    def of_files(cls, found: ShownSubjects, most: int, *, strict: bool = False) -> PointExamples:
        """most: what is kept of a picture is made smaller where its longer side is above. strict: see `reading`."""

        def read(index: int) -> list[PointExample]:
            with loaded(found.files[index]) as pixels:
                return _examples_of(found, index, pixels, most)

        kept, examples, skipped = read_each(found.files, read, strict=strict)
        return cls(
            [one for each in examples for one in each],
            found.names,
            skeleton=found.skeleton,
            flips=found.flips,
            margin=found.margin,
            files=tuple(found.files[index] for index in kept),
            skipped=skipped,
        )

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> PointExample:
        return self._examples[index]

    def prepared(
        self, resolution: Resolution, policy: str, batch: int, fill: Colour = DEFAULT_FILL
    ) -> Iterator[tuple[NDArray[np.uint8], list[tuple[SubjectTruth, BoxCrop]]]]:
        """All subjects in order, uint8 [batch, H, W, 3], as `evaluate` would show them, and where each lies.

        Of crops, nothing more than they show may have been kept (`ShownSubjects.room` is 0).
        """
        for start in range(0, len(self), batch):
            examples = self._examples[start : start + batch]
            truths = [each.truth for each in examples]
            crops = [subject_crop(each.box, self.margin, each.picture_size, resolution, policy) for each in truths]
            images = [
                laid_out(np.asarray(each.picture), crop.fitting, policy, fill)
                for each, crop in zip(examples, crops, strict=True)
            ]
            yield np.stack(images), list(zip(truths, crops, strict=True))


def _examples_of(found: ShownSubjects, index: int, pixels: NDArray[np.uint8], most: int) -> list[PointExample]:
    """The subjects of one picture, uint8 [height, width, 3]; of a whole picture the largest, as it is judged."""
    size = pixels.shape[1], pixels.shape[0]
    points, boxes, areas = found.points[index], found.boxes[index], found.areas[index]
    examples = []
    for subject in [int(np.argmax(areas))] if found.margin is None else range(len(points)):
        box = boxes[subject]
        wider = None if found.margin is None else found.margin + found.room
        kept = subject_crop(box, wider, size, ANY_SIDE, "letterbox")
        (left, top), (width, height) = kept.corner, kept.fitting.picture
        picture = shrunk(np.ascontiguousarray(pixels[top : top + height, left : left + width]), most)
        part = float(left), float(top), float(left + width), float(top + height)
        examples.append(PointExample(picture, part, SubjectTruth(points[subject], box, float(areas[subject]), size)))
    return examples


def point_jitter(augmentation: str, flips: Sequence[int]) -> Jitter:
    """How pictures with points are varied.

    flips: without any that exchanges two points nothing is mirrored: what only has no name for left and right might
    have them all the same.
    """
    jitter = get_jitter(augmentation)
    exchanges = tuple(flips) != tuple(range(len(flips)))
    return replace(
        jitter,
        scale=SCALE.get(augmentation, jitter.scale),
        mirror=jitter.mirror and exchanges,
        turn_deg=TURN_DEG.get(augmentation, 0.0),
    )


class PointBatches(MixedBatches):
    """Batches whose targets are points in their own pixels, float32 [batch, points, 3]: x, y, and a weight.

    The weight is 0 for what is not labelled, or lies beyond the edge.
    """

    def __init__(self, examples: PointExamples, *args: Any, fill: Colour = DEFAULT_FILL, **options: Any) -> None:
        super().__init__(examples, *args, **options)
        self._points, self._fill = examples, fill
        self._jitter = point_jitter(self._spec.augmentation, examples.flips)

    def _as_seen(self, targets: NDArray[Any], size: Resolution, resolution: Resolution) -> NDArray[Any]:
        share = resolution.width / size.width, resolution.height / size.height
        return targets * np.array([*share, 1.0], np.float32)

    def _shown(self, wanted: int, random: Generator, size: Resolution) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        example = self._points[wanted]
        truth = example.truth
        frame = subject_frame(truth.box, self._points.margin, truth.picture_size)
        whole = round(frame[2] - frame[0]), round(frame[3] - frame[1])
        placed = part_placed(draw_placement(self._jitter, random, whole, size), frame, example.part)
        return place(example.picture, placed, size, self._fill), points_placed(
            example, placed, size, self._points.flips
        )


def part_placed(placed: Placement, frame: Corners, part: Corners) -> Placement:
    """Where a part of a picture comes to lie if the frame lies as `placed` says; both in the picture's pixels."""
    across, down = placed.width / (frame[2] - frame[0]), placed.height / (frame[3] - frame[1])
    return replace(
        placed,
        left=round(placed.left + (part[0] - frame[0]) * across),
        top=round(placed.top + (part[1] - frame[1]) * down),
        width=max(1, round((part[2] - part[0]) * across)),
        height=max(1, round((part[3] - part[1]) * down)),
    )


def points_placed(
    example: PointExample, placed: Placement, resolution: Resolution, flips: Sequence[int]
) -> NDArray[np.float32]:
    """The targets of one example, [points, 3], where its part lies as `placed` says."""
    left, top, right, bottom = example.part
    points = example.truth.points
    sides = round(right - left), round(bottom - top)
    places = place_points(points[:, :2] - np.array([left, top]), sides, placed, resolution)
    inside = ((places >= 0.0) & (places <= (resolution.width, resolution.height))).all(axis=1)
    weights = inside & example.truth.labelled
    found = np.concatenate([places, weights[:, None]], axis=1).astype(np.float32)
    return found[list(flips)] if placed.mirror and flips else found
