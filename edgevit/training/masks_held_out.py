"""What a model says of the validation pictures' masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import PictureError
from edgevit.mask_accuracy import class_ious, confusion, mean_iou, named_at
from edgevit.training.mask_examples import Colour, MaskExamples
from edgevit_runtime.resolution import Resolution

BATCH = 16


@dataclass(frozen=True)
class MasksAnswered:
    """At one resolution: how many pixels of each class [true] were named each class [found], on how many pictures."""

    matrix: NDArray[np.int64]
    count: int

    @property
    def metric(self) -> float:
        """mIoU."""
        return mean_iou(self.matrix)

    @property
    def by_class(self) -> NDArray[np.float64]:
        """[classes]: intersection over union; NaN for a class that is neither there nor found."""
        return class_ious(self.matrix)


class MasksHeldOut:
    """The validation pictures, shown as `evaluate` would show them."""

    def __init__(self, examples: MaskExamples, policy: str, fill: Colour, classes: int) -> None:
        self._examples, self._policy, self._fill, self._classes = examples, policy, fill, classes
        self.unreadable: dict[int, PictureError] = {}
        """None: they are all in memory."""

    def ask(self, answers: Callable[[NDArray[np.uint8]], Any], resolution: Resolution) -> MasksAnswered:
        """answers: pictures uint8 [batch, H, W, 3] -> logits [batch, rows, columns, classes]."""
        matrix = np.zeros((self._classes, self._classes), np.int64)
        for images, masks in self._examples.prepared(resolution, self._policy, BATCH, self._fill):
            for logits, mask in zip(np.asarray(answers(images)), masks, strict=True):
                matrix += confusion(named_at(logits, mask.shape), mask, self._classes)
        return MasksAnswered(matrix, len(self._examples))
