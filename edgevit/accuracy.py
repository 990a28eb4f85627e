"""The one loop that asks classifiers about labelled pictures, and what their answers come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answers", "Scores", "ask", "ask_all", "classes_named"]

Scores = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""uint8 [batch, H, W, 3] -> [batch, classes], the larger the surer."""
Batches = Iterable[tuple[NDArray[np.uint8], NDArray[Any]]]
"""Pictures [batch, H, W, 3] and their classes [batch]."""


@dataclass(frozen=True)
class Answers:
    """Of one model on one set: which class it names, [n], and whether it is right with one guess and with five."""

    votes: NDArray[np.int64]
    right: NDArray[np.bool_]
    right5: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return len(self.votes)

    @property
    def top1(self) -> float:
        return float(self.right.mean())

    @property
    def top5(self) -> float:
        return float(self.right5.mean())

    def pick(self, indices: Any) -> Answers:
        """On some of the pictures."""
        return Answers(self.votes[indices], self.right[indices], self.right5[indices])

    def agreement(self, other: Answers) -> float:
        """The share of pictures on which both name the same class."""
        return float((self.votes == other.votes).mean())

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Of the pictures of all parts, in order; of none where there are no parts."""
        if not parts:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.bool_))
        return cls(
            *(np.concatenate(column) for column in zip(*((p.votes, p.right, p.right5) for p in parts), strict=True))
        )


def classes_named(scores: NDArray[Any], truths: NDArray[Any]) -> Answers:
    """Scores [n, classes] and true classes [n]; of equal scores the lower index counts."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return Answers(best[:, 0], best[:, 0] == truths, (best == np.asarray(truths)[:, None]).any(axis=1))


def ask_all(
    models: Sequence[Scores], batches: Batches, on_batch: Callable[[int], None] = lambda _count: None
) -> list[Answers]:
    """The answers of each model, all shown the very same pictures. on_batch: told how many pictures were just shown."""
    parts: list[list[Answers]] = [[] for _ in models]
    for images, truths in batches:
        for scores, answers in zip(models, parts, strict=True):
            answers.append(classes_named(scores(images), truths))
        on_batch(len(images))
    return [Answers.joined(answers) for answers in parts]


def ask(scores: Scores, batches: Batches, on_batch: Callable[[int], None] = lambda _count: None) -> Answers:
    """One model's answers."""
    (answers,) = ask_all([scores], batches, on_batch)
    return answers
