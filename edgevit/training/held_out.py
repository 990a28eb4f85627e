"""What a model says of the validation pictures, and how far its scores may be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Scores, classes_named
from edgevit.errors import DataError, PictureError
from edgevit.retrieval import retrieve
from edgevit.training.examples import Colour, Examples
from edgevit_runtime.resolution import Resolution

BATCH = 64
MOST_LOGITS = 5000
"""So many pictures' logits are kept at each resolution: one number is fitted to them."""


@dataclass(frozen=True)
class Answered:
    """At one resolution: the share that is right, of how many, the class named for each picture, some logits.

    votes [n]: -1 for a picture that cannot be read any more; of vectors the class of the nearest other picture.
    logits [m, classes] and their classes [m]; of vectors none.
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
        logits, right, votes = self._shown(scores, resolution)
        answers = classes_named(logits, right)
        votes[votes >= 0] = answers.votes
        some = slice(None, None, -(-len(logits) // MOST_LOGITS))  # sets are ordered by class: every n-th sees them all
        return Answered(answers.top1, answers.count, votes, logits[some], right[some])

    def _shown(
        self, answers: Scores, resolution: Resolution
    ) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
        """What the pictures that can be read are answered with, their classes, and a vote to be for each of all: -1
        where it cannot be read."""
        lost: dict[int, PictureError] = {}
        on_skip: Callable[[int, PictureError], None] | None = None if self._strict else lost.__setitem__
        found: list[NDArray[Any]] = []
        truths: list[NDArray[Any]] = []
        for images, classes in self._examples.prepared(resolution, self._policy, BATCH, self._fill, on_skip):
            found.append(answers(images))
            truths.append(classes)
        self.unreadable |= lost
        count = len(self._examples.classes)
        if not found:
            raise DataError(f"none of the {count} validation pictures can be read any more")
        votes = np.zeros(count, np.int64)
        votes[list(lost)] = -1
        return np.concatenate(found), np.concatenate(truths), votes


class VectorsHeldOut(HeldOut):
    """The same for vectors: each picture is looked for among all the others (leave-one-out)."""

    def ask(self, scores: Scores, resolution: Resolution) -> Answered:
        vectors, right, votes = self._shown(scores, resolution)
        if len(vectors) < 2:
            raise DataError("a picture is looked for among others, and one validates: give more (--val-share)")
        found = retrieve(vectors, vectors, right, right, leave_one_out=True)
        votes[votes >= 0] = found.nearest
        nothing = slice(0, 0)  # there are no logits to be believed
        return Answered(float((found.ranks < 1).mean()), len(vectors), votes, vectors[nothing], right[nothing])
