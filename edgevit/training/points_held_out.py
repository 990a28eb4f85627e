"""What a model says of the validation pictures' points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import PictureError
from edgevit.point_accuracy import point_accuracy
from edgevit.training.mask_examples import Colour
from edgevit.training.point_examples import PointExamples
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.heatmap_peaks import find_peaks

BATCH = 16


@dataclass(frozen=True)
class PointsAnswered:
    """At one resolution: the figures of `point_accuracy`, of how many subjects."""

    figures: Mapping[str, Any]
    count: int

    @property
    def metric(self) -> float:
        """PCK."""
        return float(self.figures["pck"])


class PointsHeldOut:
    """The validation pictures, shown as `evaluate` would show them."""

    def __init__(self, examples: PointExamples, policy: str, fill: Colour) -> None:
        self._examples, self._policy, self._fill = examples, policy, fill
        self.unreadable: dict[int, PictureError] = {}
        """None: they are all in memory."""

    def ask(self, answers: Callable[[NDArray[np.uint8]], Any], resolution: Resolution) -> PointsAnswered:
        """answers: pictures uint8 [batch, H, W, 3] -> `heatmaps`, [batch, rows, columns, points]."""
        truths, found = [], []
        for images, shown in self._examples.prepared(resolution, self._policy, BATCH, self._fill):
            heatmaps = answers(images)["heatmaps"]
            for each, (truth, crop) in zip(heatmaps, shown, strict=True):
                peaks = find_peaks(each, resolution)
                truths.append(truth)
                found.append((crop.to_picture(peaks.points), peaks.scores))
        return PointsAnswered(point_accuracy(truths, found, self._examples.names), len(truths))
