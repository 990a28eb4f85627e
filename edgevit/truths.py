"""What the dense tasks are judged by: how it is read from a folder, and how its pictures are shown to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.boxes import BoxSet, read_boxes
from edgevit.data.dense_set import DenseSet
from edgevit.data.masks import MaskSet, read_masks
from edgevit.data.points import PointSet, read_points
from edgevit.errors import DataError
from edgevit.tasks.box_judge import BoxTruth
from edgevit.tasks.point_judge import PointTruth
from edgevit.tasks.segment import MaskTruth
from edgevit_runtime.preprocess.fitting import Fitting, fit, fitting_of
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

__all__ = ["TRUTHS", "Showing", "TruthKind"]

Shown = tuple[NDArray[np.uint8], Any]
"""What a model sees, uint8 [H, W, 3], and what is true of it."""


@dataclass(frozen=True)
class Showing:
    """How pictures are shown."""

    resolution: Resolution
    policy: str
    fill: tuple[int, int, int]
    margin: float | None = None
    """Of keypoints: a crop around each subject's box, which is wider by this share of its sides at each end; None: the
    whole picture."""

    def whole(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Fitting]:
        """A picture [height, width, 3] -> [H, W, 3], and how it was fitted."""
        height, width = pixels.shape[:2]
        image = fit(pixels, self.resolution, self.policy, self.fill)
        return image, fitting_of((width, height), self.resolution, self.policy)


@dataclass(frozen=True)
class TruthKind:
    """One kind of truth: how it is read and shown."""

    read: Callable[[Path, Sequence[str], str, Mapping[str, Any]], DenseSet]
    """(folder, the model's labels, who it is, options, its `margin` among them) -> pictures. Raises `DataError`,
    `ConfigError`, `PictureError`."""
    shown: Callable[[Any, int, NDArray[np.uint8], Showing], list[Shown]]
    """(pictures, which, its pixels [height, width, 3], how) -> what the model is asked about it."""
    named: str = "labels"
    """What documents call the names of what is found."""


EVERYTHING = "all"
"""In the place of a part: all pictures of a folder, whatever it says which is of which."""


def _part(options: Mapping[str, Any]) -> str | None:
    part = options.get("part") or "val"
    return None if part == EVERYTHING else str(part)


def _masks(data: Path, labels: Sequence[str], who: str, options: Mapping[str, Any]) -> DenseSet:
    return read_masks(data, labels, ignored=options.get("ignored"), part=_part(options), who=who)


def _show_masks(pictures: MaskSet, index: int, pixels: NDArray[np.uint8], showing: Showing) -> list[Shown]:
    image, fitting = showing.whole(pixels)
    return [(image, MaskTruth(pictures.mask(index), fitting))]


def _boxes(data: Path, labels: Sequence[str], who: str, options: Mapping[str, Any]) -> DenseSet:
    pictures = read_boxes(data, labels, part=_part(options), who=who)
    if not sum(int((~each).sum()) for each in pictures.crowd):
        raise DataError(f"{pictures.root}: no picture has a box that {who} could find: {_classes(labels)}")
    return pictures


def _show_boxes(pictures: BoxSet, index: int, pixels: NDArray[np.uint8], showing: Showing) -> list[Shown]:
    image, fitting = showing.whole(pixels)
    return [(image, BoxTruth(pictures.boxes[index], pictures.classes[index], pictures.crowd[index], fitting))]


def _points(data: Path, labels: Sequence[str], who: str, options: Mapping[str, Any]) -> DenseSet:
    """Without pictures that show no subject: there is nothing to judge."""
    pictures = read_points(data, labels, part=_part(options), who=who)
    showing = [index for index, each in enumerate(pictures.points) if len(each)]
    if not showing:
        raise DataError(f"{pictures.root}: no picture has a labelled point")
    said = []
    if left := len(pictures.files) - len(showing):
        said.append(f"{pictures.root}: {counted(left, 'picture')} without a labelled point: nothing is judged there")
    several = sum(len(each) > 1 for each in pictures.points)
    if several and options.get("margin") is None:
        said.append(
            f"{pictures.root}: {counted(several, 'picture')} with several subjects: {who} looks for one in a picture, "
            "and is judged by the largest"
        )
    return replace(pictures.pick(showing), assumed=(*pictures.assumed, *said))


def _show_points(pictures: PointSet, index: int, pixels: NDArray[np.uint8], showing: Showing) -> list[Shown]:
    """A crop for each subject; without a margin the whole picture, which is judged by its largest subject."""
    points, boxes, areas = pictures.points[index], pictures.boxes[index], pictures.areas[index]
    height, width = pixels.shape[:2]
    if showing.margin is None:
        of, corners = [int(np.argmax(areas))], [(0, 0, width, height)]
    else:
        of = list(range(len(points)))
        corners = [_grown(box, showing.margin, (width, height)) for box in boxes]
    found: list[Shown] = []
    for subject, (left, top, right, bottom) in zip(of, corners, strict=True):
        image, fitting = showing.whole(np.ascontiguousarray(pixels[top:bottom, left:right]))
        truth = PointTruth(
            points=points[subject],
            box=boxes[subject],
            area=float(areas[subject]),
            fitting=fitting,
            corner=(left, top),
            picture=index,
            picture_size=(width, height),
        )
        found.append((image, truth))
    return found


def _grown(box: NDArray[np.float32], margin: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The whole pixels that a box, grown at each end by a share of its sides, covers in its picture; at least one."""
    corners, side = np.asarray(box, np.float64).reshape(2, 2), np.asarray(size)
    more = margin * (corners[1] - corners[0])
    first = np.clip(np.floor(corners[0] - more), 0, side - 1).astype(int)
    last = np.clip(np.ceil(corners[1] + more), first + 1, side).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _classes(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "") if labels else "it names no classes"


TRUTHS: dict[str, TruthKind] = {
    "masks": TruthKind(_masks, _show_masks),
    "boxes": TruthKind(_boxes, _show_boxes),
    "points": TruthKind(_points, _show_points, "points"),
}
"""By `Task.truths`."""
