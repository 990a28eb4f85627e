"""What a model says of the validation pictures' boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.box_accuracy import average_precision
from edgevit.errors import PictureError
from edgevit.training.box_examples import BoxExamples
from edgevit.training.mask_examples import Colour
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.box_decoding import decode_boxes, grids_of

BATCH = 16
LEAST_SCORE, MOST_OVERLAP = 0.01, 0.6
"""AP looks at boxes that nobody would be shown, too."""


@dataclass(frozen=True)
class BoxesAnswered:
    """At one resolution: the figures of `box_accuracy.average_precision`, on how many pictures."""

    figures: Mapping[str, Any]
    count: int

    @property
    def metric(self) -> float:
        """COCO's AP."""
        return float(self.figures["ap"] or 0.0)


class BoxesHeldOut:
    """The validation pictures, shown as `evaluate` would show them."""

    def __init__(
        self, examples: BoxExamples, policy: str, fill: Colour, classes: int, strides: tuple[int, ...]
    ) -> None:
        self._examples, self._policy, self._fill = examples, policy, fill
        self._classes, self._strides = classes, strides
        self.unreadable: dict[int, PictureError] = {}
        """None: they are all in memory."""

    def ask(self, answers: Callable[[NDArray[np.uint8]], Any], resolution: Resolution) -> BoxesAnswered:
        """answers: pictures uint8 [batch, H, W, 3] -> `log_distances` and `cell_logits`, [batch, cells, ...]."""
        truths, found = [], []
        grids = grids_of(resolution, self._strides)
        for images, shown in self._examples.prepared(resolution, self._policy, BATCH, self._fill):
            outputs = answers(images)
            for index, (marked, fitting) in enumerate(shown):
                boxes = decode_boxes(
                    outputs["log_distances"][index],
                    outputs["cell_logits"][index],
                    resolution,
                    grids=grids,
                    least_score=LEAST_SCORE,
                    most_overlap=MOST_OVERLAP,
                )
                truths.append((marked.boxes, marked.classes, marked.crowd))
                found.append((fitting.boxes_to_picture(boxes.boxes), boxes.scores, boxes.classes))
        return BoxesAnswered(average_precision(truths, found, self._classes, sizes=False), len(self._examples))
