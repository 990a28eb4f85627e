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
from edgevit.subject_crops import subject_crop
from edgevit.tasks.box_judge import BoxTruth
from edgevit.tasks.point_judge import PointTruth
from edgevit.tasks.segment import MaskTruth
from edgevit_runtime.preprocess.box_crops import fit_crop
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
    """Of keypoints: a crop around each subject's box, grown as `subject_crop` says; None: the whole picture."""

    def whole(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Fitting]:
        """A picture [height, width, 3] -> [H, W, 3], and how it was fitted."""
        height, width = pixels.shape[:2]
        image = fit(pixels, self.resolution, self.policy, self.fill)
        return image, fitting_of((width, height), self.resolution, self.policy)


@dataclass(frozen=True)
class TruthKind:
    """One kind of truth: how it is read and shown."""

    read: Callable[[Path, Sequence[str], str, Mapping[str, Any]], DenseSet]
    """(folder, the model's labels, who it is, options, with `DenseHead.reading` among them) -> pictures. Raises
    `DataError`, `ConfigError`, `PictureError`."""
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
    ignored, as_trained = options.get("ignored"), options.get("ignored_in_training")
    return read_masks(data, labels, ignored=ignored, as_trained=as_trained, part=_part(options), who=who)


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
    areas, size = pictures.areas[index], (pixels.shape[1], pixels.shape[0])
    found: list[Shown] = []
    for subject in range(len(areas)) if showing.margin is not None else [int(np.argmax(areas))]:
        box = pictures.boxes[index][subject]
        crop = subject_crop(box, showing.margin, size, showing.resolution, showing.policy)
        truth = PointTruth(
            points=pictures.points[index][subject],
            box=box,
            area=float(areas[subject]),
            fitting=crop.fitting,
            corner=crop.corner,
            picture=index,
            picture_size=size,
        )
        found.append((fit_crop(pixels, crop, showing.policy, showing.fill), truth))
    return found


def _classes(labels: Sequence[str]) -> str:
    return ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "") if labels else "it names no classes"


TRUTHS: dict[str, TruthKind] = {
    "masks": TruthKind(_masks, _show_masks),
    "boxes": TruthKind(_boxes, _show_boxes),
    "points": TruthKind(_points, _show_points, "points"),
}
"""By `Task.truths`."""
