"""What was found in a picture: boxes, regions and points, in the picture's own pixels.

Coordinates are of pixels' edges, as everywhere (`Fitting`): the picture's upper left corner is (0, 0), its lower right
one (width, height).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.box_crops import BoxCrop
from edgevit_runtime.preprocess.fitting import Fitting
from edgevit_runtime.tasks.box_decoding import Detections
from edgevit_runtime.tasks.heatmap_peaks import Peaks
from edgevit_runtime.tasks.mask_decoding import NOT_SEEN, ClassMap
from edgevit_runtime.tasks.run_lengths import RunLengths, encode


@dataclass(frozen=True)
class Box:
    """One thing. `label` is the class's index as text where the artefact holds no labels; `score` is 0 to 1."""

    label: str
    index: int
    score: float
    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "label": self.label,
            "index": self.index,
            "score": self.score,
            "xmin": self.xmin,
            "ymin": self.ymin,
            "xmax": self.xmax,
            "ymax": self.ymax,
        }


@dataclass(frozen=True)
class Keypoint:
    """One named point, and how sure the model is of it, 0 to 1."""

    name: str
    x: float
    y: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"name": self.name, "x": self.x, "y": self.y, "score": self.score}


@dataclass(frozen=True)
class Region:
    """All pixels of one class.

    share: how much of the picture it is, 0 to 1.
    score: the mean confidence of its pixels, 0 to 1; None where it was not asked for.
    """

    label: str
    index: int
    share: float
    mask: RunLengths
    score: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it; `mask` is COCO's RLE."""
        document = {"label": self.label, "index": self.index, "share": self.share, "mask": self.mask.to_dict()}
        return document if self.score is None else {**document, "score": self.score}


def boxes_in_picture(detections: Detections, fitting: Fitting, label: Callable[[int], str]) -> tuple[Box, ...]:
    """Boxes of the input as boxes of the picture, cut at its edges; what lies on a letterbox's ground only is none.

    fitting: where the picture lies in the input. label: the name of a class.
    """
    corners = fitting.boxes_to_picture(detections.boxes).tolist()
    return tuple(
        Box(label(index), index, score, xmin, ymin, xmax, ymax)
        for (xmin, ymin, xmax, ymax), score, index in zip(
            corners, detections.scores.tolist(), detections.classes.tolist()
        )
        if xmin < xmax and ymin < ymax
    )


def points_in_picture(peaks: Peaks, fitting: Fitting | BoxCrop, names: Sequence[str]) -> tuple[Keypoint, ...]:
    """Peaks of the input as points of the picture, moved to its edge where they lie beyond it.

    fitting: where the picture, or a part of it, lies in the input. names: one for each point.
    """
    if len(names) != len(peaks.scores):
        raise EdgeViTError(f"{len(names)} names for {len(peaks.scores)} points")
    places = np.clip(fitting.to_picture(peaks.points), 0.0, fitting.picture).tolist()
    return tuple(Keypoint(name, x, y, score) for name, (x, y), score in zip(names, places, peaks.scores.tolist()))


def regions_of(found: ClassMap, label: Callable[[int], str]) -> tuple[Region, ...]:
    """Each class that the map holds, the largest first. label: the name of a class."""
    counts = np.zeros(NOT_SEEN + 1, np.int64)
    for row in found.classes:  # one after the other: numpy counts in copies of eight bytes a pixel
        counts += np.bincount(row, minlength=NOT_SEEN + 1)
    counts = counts[:NOT_SEEN]
    order = np.argsort(-counts, kind="stable")
    regions = []
    for index in order[: np.count_nonzero(counts)].tolist():
        mask = found.classes == index
        score = None if found.confidence is None else float(found.confidence[mask].mean()) / 255.0
        share = int(counts[index]) / found.classes.size
        regions.append(Region(label(index), index, share, encode(mask), score))
    return tuple(regions)
