"""embed: a vector for a picture, by whose cosine pictures are alike: for search, duplicates, few-shot names.

What stands for the picture (`edgevit.config.POOLINGS`) goes through a projection where the model has one, and is
brought to length 1. It reads the class token, so that the last block computes that row alone, or all tokens for a mean.
Trained against a vector of each class (`edgevit train --task embed`); judged by retrieval: see
`edgevit.tasks.retrieval_judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.config import POOLINGS, ViTConfig
from edgevit.errors import ConfigError
from edgevit.retrieval import RANKS
from edgevit.tasks.features import GALLERY, LEAVE_ONE_OUT, NEIGHBOURS, VOTING
from edgevit.tasks.retrieval_judge import RetrievalJudge
from edgevit.tasks.task import Config, Figure, Option, Output, Reads, Task
from edgevit_runtime.resolution import as_resolution

if TYPE_CHECKING:
    from edgevit.model import ViT


@dataclass(frozen=True)
class Embed(Task):
    """See the module.

    width: of the vector. pooling: a key of `edgevit.config.POOLINGS`.
    """

    width: int
    pooling: str = "class"

    name: ClassVar[str] = "embed"
    metric: ClassVar[str] = "recall_at_1"
    figures: ClassVar[tuple[Figure, ...]] = (
        *(Figure(f"recall_at_{rank}", f"recall@{rank}") for rank in (RANKS[0], RANKS[-1])),
        Figure("map", "mAP"),
    )
    counts_pictures: ClassVar[bool] = True
    agreement: ClassVar[str] = "mean cosine"
    options: ClassVar[tuple[Option, ...]] = ()
    judging_options: ClassVar[tuple[Option, ...]] = (
        GALLERY,
        VOTING,
        Option(
            "gallery_resolution",
            "embed: the resolution at which the gallery's vectors were made [default: the pictures' own].",
            as_resolution,
        ),
    )
    truths: ClassVar[str] = "classes"
    own_classes: ClassVar[bool] = False

    @classmethod
    def judge(cls, models: int, options: Mapping[str, Any]) -> RetrievalJudge:
        neighbours, gallery = options.get("neighbours"), options.get("gallery")
        resolution = options.get("gallery_resolution")
        return RetrievalJudge(
            models,
            NEIGHBOURS if neighbours is None else neighbours,
            None if gallery is None else Path(gallery),
            None if resolution is None else as_resolution(resolution),
        )

    @classmethod
    def judged_by(cls, evaluation: Mapping[str, Any]) -> str:
        gallery, at, alone = (evaluation.get(key) for key in ("gallery", "gallery_resolution", "alone"))
        where = "among all the others" if gallery == LEAVE_ONE_OUT else f"in {gallery}"
        said = f"each picture looked for {where}" + (f", whose vectors are of {at} px" if at else "")
        return said + (f"; {alone} are the only ones of their class and count as not found" if alone else "")

    @classmethod
    def of(cls, config: Config, options: Mapping[str, Any]) -> Embed:
        if not isinstance(config, ViTConfig):
            raise ConfigError(f"vectors are made by edgevit's own ViTs; {config.variant} can only classify")
        return cls(config.vector_width, config.pooling)

    def in_integers(self) -> Embed:
        raise ConfigError("vectors are real numbers, and the recipe puts out integers: choose int8 or int8-static")

    @property
    def reads(self) -> Reads:
        return Reads(patches=self.pooling != "class")

    @property
    def outputs(self) -> tuple[Output, ...]:
        return (Output("vector", f"{POOLINGS[self.pooling]}, as a vector of length 1"),)

    @property
    def self_test(self) -> tuple[str, str]:
        return "vector", "raw"

    def entry(self) -> dict[str, Any]:
        return {"width": self.width, "pooling": self.pooling}

    def expected(self, model: ViT, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        return {"vector": np.asarray(model.vectors(images))}
