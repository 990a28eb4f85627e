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
    """A `Judge` whose pictures can be shown: `edgevit evaluate --mistakes` asks it for them.

    A model may be asked several times about a picture, once for each subject in it. So what is true of one, and what a
    model puts out for it, come in sequences of as many, of which most tasks have one.
    """

    def picture_figures(self) -> list[NDArray[np.float64]]:
        """For each model the task's metric of each picture alone, 0..1, in the order of `add`; NaN where nothing in a
        picture is judged."""

    def draw_truth(self, picture: Image, truths: Sequence[Any], labels: Sequence[str]) -> Drawing:
        """What is true of a picture over a copy of it, RGB in its own size. truths: as `add` was given them."""

    def draw_found(
        self,
        picture: Image,
        outputs: Sequence[Mapping[str, NDArray[Any]]],
        truths: Sequence[Any],
        labels: Sequence[str],
    ) -> Drawing:
        """What a model found, likewise. outputs: of this picture alone, each by name without a batch's axis."""
