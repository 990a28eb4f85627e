"""What an artefact says of a classifier that is not ours: `ForeignConfig`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from math import gcd
from typing import Any

from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

__all__ = ["NOTHING_TOLD", "ForeignConfig", "Told", "common_patch"]


@dataclass(frozen=True)
class Told:
    """What a user says of a model that is not ours, where it does not say it itself."""

    pixels: str | None = None
    """`--pixels`: what it wants (`edgevit.pixels.parse_pixels`)."""
    head: str | None = None
    """`--head`: what its scores are (`edgevit.config.head_scores`)."""


NOTHING_TOLD = Told()


@dataclass(frozen=True)
class ForeignConfig:
    """A Keras picture classifier (`edgevit.model.ForeignModel`) as data; names are as in `ViTConfig`."""

    variant: str
    classes: int
    patch: int
    """Of a ViT its patch; of a CNN the total stride, a position of its last feature map, or where that does not divide
    all sides of the ladder, the largest part of it that does (`common_patch`)."""
    base_resolution: Resolution
    """The one that it was built for; where it was built for any, the largest of its ladder."""
    pixels: str
    resize: str = "crop:0.875"
    ladder: tuple[Resolution, ...] = ()
    labels: tuple[str, ...] = ()
    label_keys: tuple[str, ...] = ()
    scores: str = "softmax"

    def tokens(self, resolution: ResolutionLike) -> int:
        """N = (W / patch)(H / patch) + 1, as of a ViT: the positions of the last feature map, and one for all."""
        resolution = as_resolution(resolution)
        return (resolution.width // self.patch) * (resolution.height // self.patch) + 1

    @property
    def fill(self) -> tuple[int, int, int]:
        """What `letterbox` lays around a picture: nobody knows the mean colour of what it learned, so ImageNet's."""
        return DEFAULT_FILL

    def with_(self, **changes: Any) -> ForeignConfig:
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        ladder = tuple(each.to_json() for each in self.ladder)
        return {**asdict(self), "base_resolution": self.base_resolution.to_json(), "ladder": ladder}


def common_patch(stride: int, ladder: Iterable[Resolution]) -> int:
    """The largest part of a CNN's total stride that divides all sides of the ladder: 32 at 224, 4 at 100 and 224.

    A CNN runs at sizes that its stride does not divide; N is then counted in smaller squares, for all of the ladder.
    """
    return gcd(stride, *(side for each in ladder for side in (each.width, each.height)))
