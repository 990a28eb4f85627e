"""The judge of vectors: each picture is looked for in a gallery, or among all the others (`edgevit.retrieval`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.errors import ConfigError
from edgevit.retrieval import RANKS, retrieve
from edgevit.statistics import margin
from edgevit.tasks.classify import compared
from edgevit.tasks.features import NeighbourJudge, nearest_classes
from edgevit_runtime.resolution import Resolution


class RetrievalJudge(NeighbourJudge):
    """Looks for each picture in a gallery, or, without one, among all the other pictures (leave-one-out).

    gallery_resolution: that at which the gallery's vectors were made; None: that of the pictures.
    """

    compared: ClassVar[tuple[str, ...]] = ("vector",)

    def __init__(
        self, models: int, neighbours: int, gallery: Path | None = None, gallery_resolution: Resolution | None = None
    ) -> None:
        super().__init__(models, neighbours, gallery)
        self.gallery_resolution, self._alone = gallery_resolution, 0

    @property
    def settings(self) -> Mapping[str, Any]:
        at = self.gallery_resolution
        return {
            **super().settings,
            **({} if at is None else {"gallery_resolution": at.to_json()}),
            **({"alone": self._alone} if self._alone else {}),
        }

    def results(self) -> list[dict[str, Any]]:
        classes, alone = np.concatenate(self._classes), self.gallery is None
        known = np.concatenate(self._gallery_classes) if self._gallery_classes else classes
        if len(known) - alone < 1:
            raise ConfigError("a picture is looked for among others: give two or more, or a gallery: --gallery DIR")
        self.neighbours = min(self.neighbours, len(known) - alone)
        queries = [np.concatenate(each) for each in self._queries]
        galleries = [np.concatenate(each) for each in self._gallery] if self._gallery_classes else queries
        found = []
        for ours, theirs in zip(queries, galleries, strict=True):
            each = retrieve(ours, theirs, classes, known, leave_one_out=alone)
            votes = nearest_classes(ours, theirs, known, self.neighbours, leave_one_out=alone)
            self._alone = int((each.ranks == len(theirs)).sum())
            found.append((each, float((votes == classes).mean())))
        self._found = [Answers(each.nearest, each.ranks < 1, each.ranks < 5) for each, _ in found]
        return [
            {
                **{f"recall_at_{rank}": float((each.ranks < rank).mean()) for rank in RANKS},
                "recall_at_1_margin": margin(self._found[number].top1, len(classes)),
                "map": float(each.precisions.mean()),
                "knn_top1": top1,
                **(self._beside(number, queries) if number else {}),
            }
            for number, (each, top1) in enumerate(found)
        ]

    def _beside(self, number: int, queries: Sequence[NDArray[Any]]) -> dict[str, Any]:
        """How another model compares with the first: the mean cosine of their vectors, where both have as many numbers,
        and what recall@1 loses."""
        same = queries[0].shape == queries[number].shape
        cosine = float((queries[0] * queries[number]).sum(axis=1).mean()) if same else None
        return {**compared(self._found[0], self._found[number]), "agreement": cosine}
