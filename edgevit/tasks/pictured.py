"""What a task's judge can add so that its mistakes can be looked at: a figure for each picture, and drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Drawing", "PicturedJudge"]


@dataclass(frozen=True)
class Drawing:
    """A picture with what is there, or what was found, drawn over it; and which classes that are, for a key."""

    picture: Image
    classes: frozenset[int]


@runtime_checkable
class PicturedJudge(Protocol):
    """A `Judge` whose pictures can be shown: `edgevit evaluate --mistakes` asks it for them."""

    def picture_figures(self) -> list[NDArray[np.float64]]:
        """For each model the task's metric of each picture alone, 0..1, in the order of `add`; NaN where nothing in a
        picture is judged."""

    def draw_truth(self, picture: Image, truth: Any, labels: Sequence[str]) -> Drawing:
        """What is true of a picture over a copy of it, RGB in its own size. truth: as `add` was given it."""

    def draw_found(
        self, picture: Image, outputs: Mapping[str, NDArray[Any]], truth: Any, labels: Sequence[str]
    ) -> Drawing:
        """What a model found, likewise. outputs: of this picture alone, by name, without a batch's axis."""
