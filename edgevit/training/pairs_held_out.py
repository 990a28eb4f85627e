"""How well pictures and texts find each other among those that validate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Scores
from edgevit.data.picture_set import PictureSet
from edgevit.retrieval import retrieve
from edgevit.training.examples import FolderExamples
from edgevit.training.held_out import HeldOut
from edgevit_runtime.resolution import Resolution, ResolutionLike

__all__ = ["PairExamples", "PairsAnswered", "PairsHeldOut"]


class PairExamples(FolderExamples):
    """Pictures whose classes are their texts. tokens: of each text its text tokens, int32 [texts, context]."""

    def __init__(
        self, pictures: PictureSet, shrink_to: ResolutionLike, tokens: NDArray[np.int32], *, keep: bool = True
    ) -> None:
        super().__init__(pictures, shrink_to, keep=keep)
        self.tokens = tokens


@dataclass(frozen=True)
class PairsAnswered:
    """At one resolution: the share of the texts whose nearest picture has that text, and of the pictures likewise."""

    text_to_image: float
    image_to_text: float
    count: int
    texts: int

    @property
    def metric(self) -> float:
        return (self.text_to_image + self.image_to_text) / 2


class PairsHeldOut(HeldOut):
    """Every picture is looked for among the texts that any of them has, and every such text among the pictures."""

    def ask(self, scores: Scores, resolution: Resolution) -> Any:
        """scores: pictures, or texts' tokens, -> vectors."""
        pictures, classes, _ = self._shown(scores, resolution)
        known = np.unique(classes)
        texts = np.asarray(scores(self._examples.tokens[known]))  # type: ignore[attr-defined]
        by_text = retrieve(texts, pictures, known, classes, leave_one_out=False)
        by_picture = retrieve(pictures, texts, classes, known, leave_one_out=False)
        nearest, told = (float((found.ranks < 1).mean()) for found in (by_text, by_picture))
        return PairsAnswered(nearest, told, len(pictures), len(known))
