"""What a model says of the validation pictures, and how far its scores may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Scores, classes_named
from edgevit.errors import DataError, PictureError
from edgevit.training.examples import Colour, Examples
from edgevit_runtime.resolution import Resolution

BATCH = 64
MOST_LOGITS = 5000
"""So many pictures' logits are kept at each resolution: one number is fitted to them."""


@dataclass(frozen=True)
class Answered:
    """At one resolution: the share that is right, of how many, the class named for each picture, some logits.

    votes [n]: -1 for a picture that cannot be read any more. logits [m, classes] and their classes [m].
    """

    top1: float
    count: int
    votes: NDArray[np.int64]
    logits: NDArray[np.float32]
    truths: NDArray[np.int64]

    @property
    def metric(self) -> float:
        return self.top1


class HeldOut:
    """The validation pictures, shown as `evaluate` would show them.

    strict: raise the `PictureError` of a picture that went bad since the run began, instead of leaving it out.
    """

    def __init__(self, examples: Examples, policy: str, fill: Colour, *, strict: bool) -> None:
        self._examples, self._policy, self._fill, self._strict = examples, policy, fill, strict
        self.unreadable: dict[int, PictureError] = {}

    def ask(self, scores: Scores, resolution: Resolution) -> Answered:
        """Raises `DataError` where no picture can be read any more."""
        lost: dict[int, PictureError] = {}
        on_skip: Callable[[int, PictureError], None] | None = None if self._strict else lost.__setitem__
        found: list[NDArray[Any]] = []
        truths: list[NDArray[Any]] = []
        for images, classes in self._examples.prepared(resolution, self._policy, BATCH, self._fill, on_skip):
            found.append(scores(images))
            truths.append(classes)
        self.unreadable |= lost
        count = len(self._examples.classes)
        if not found:
            raise DataError(f"none of the {count} validation pictures can be read any more")
        logits, right = np.concatenate(found), np.concatenate(truths)
        answers = classes_named(logits, right)
        votes = np.full(count, -1, np.int64)
        votes[[index for index in range(count) if index not in lost]] = answers.votes
        some = slice(None, None, -(-len(logits) // MOST_LOGITS))  # sets are ordered by class: every n-th sees them all
        return Answered(answers.top1, answers.count, votes, logits[some], right[some])
