"""Whether a model of keypoints learns whole pictures, or each subject by itself, cut out around its box."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.points import PointSet
from edgevit.errors import DataError
from edgevit.training.picture_ladder import LOOKED_AT, upright_size
from edgevit_runtime.wording import counted

__all__ = ["MARGIN", "ROOM", "ShownSubjects", "shown_subjects"]

MARGIN = 0.25
"""By how much of its longer side a box is grown on each side: it then takes two thirds of what the model sees
(ViTPose and others grow it by an eighth, arXiv 2204.12484; boxes that a small model found are less exact)."""
ROOM = 0.25
"""So much more around it is kept of a picture to train on, to vary what is seen."""
FILLS_SHARE, FILLED_SHARE = 0.4, 0.9
"""A box fills much of its picture from this share of the longer side on; of so many pictures it must be so."""
SAME_PX = 1.0


@dataclass(frozen=True, kw_only=True)
class ShownSubjects(PointSet):
    """Pictures with subjects, and how they are shown."""

    margin: float | None = None
    """As `DenseHead.margin` has it; None: whole pictures."""
    room: float = 0.0
    """By how much more a crop is grown that is kept."""

    @property
    def subjects(self) -> int:
        """What there is to learn."""
        return len(self.files) if self.margin is None else sum(map(len, self.points))


def shown_subjects(train: PointSet, val: PointSet) -> tuple[ShownSubjects, ShownSubjects]:
    """The same pictures, without those that show no subject; what was decided stands in the first's notes.

    Whole pictures are shown where each has one subject alone, and that fills much of it, or the labels have no boxes
    by which it could be cut out. Raises `DataError` where no picture of the two parts has a subject.
    """
    found = []
    left_out = 0
    for each, part in ((train, "trains"), (val, "validates")):
        kept = [index for index, points in enumerate(each.points) if len(points)]
        if not kept:
            raise DataError(f"{each.root}: no picture that {part} has a labelled point")
        left_out += len(each.files) - len(kept)
        found.append(each.pick(kept))
    margin, why = _margin(*found)
    said = [f"{train.root}: {why}"]
    if left_out:
        said.append(f"{train.root}: {counted(left_out, 'picture')} without a labelled point are left out")
    first, second = (ShownSubjects(**_values(each), margin=margin) for each in found)
    return replace(first, room=ROOM, assumed=(*first.assumed, *said)), second


def _values(pictures: PointSet) -> dict[str, Any]:
    return {each.name: getattr(pictures, each.name) for each in fields(pictures)}


def _margin(*parts: PointSet) -> tuple[float | None, str]:
    """And why, as a note."""
    cut_out = f"a subject is cut out around its box, grown on each side by {MARGIN:.0%} of its longer side"
    several = sum(len(points) > 1 for each in parts for points in each.points)
    if several:
        return MARGIN, f"{cut_out}: {counted(several, 'picture')} show several"
    pairs = [pair for each in parts for pair in zip(each.points, each.boxes, strict=True)]
    if all(_is_around(points[0], boxes[0]) for points, boxes in pairs):
        return None, "whole pictures are shown: each has one subject, and no box but that around its points"
    shares = _shares(parts[0])
    if not len(shares) or float(np.mean(shares >= FILLS_SHARE)) >= FILLED_SHARE:
        return None, "whole pictures are shown: each has one subject, which fills much of it"
    small = float(np.mean(shares < FILLS_SHARE))
    return MARGIN, f"{cut_out}: in {small:.0%} of the pictures it takes less than {FILLS_SHARE:.0%} of the longer side"


def _is_around(points: NDArray[np.float32], box: NDArray[np.float32]) -> bool:
    """Whether a box [4] is nothing but what the labelled of the points [points, 3] take up."""
    places = points[points[:, 2] > 0, :2]
    return bool(np.abs(np.concatenate([places.min(axis=0), places.max(axis=0)]) - box).max() < SAME_PX)


def _shares(pictures: PointSet) -> NDArray[np.float64]:
    """Of some pictures how much of the longer side the box of their first subject takes: [pictures]."""
    step = -(-len(pictures.files) // LOOKED_AT)
    found = []
    for file, boxes in zip(pictures.files[::step], pictures.boxes[::step], strict=True):
        size = upright_size(file)
        if size is not None:
            found.append(float((boxes[0][2:] - boxes[0][:2]).max()) / max(size))
    return np.array(found)
