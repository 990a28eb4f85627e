"""What an artefact says of a classifier that is not ours: `ForeignConfig`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from edgevit.config import check_resolution
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

__all__ = ["ForeignConfig"]


@dataclass(frozen=True)
class ForeignConfig:
    """A Keras picture classifier (`edgevit.model.ForeignModel`) as data; names are as in `ViTConfig`."""

    variant: str
    classes: int
    patch: int
    """The total stride, in pixels: of a ViT its patch, of a CNN a position of its last feature map."""
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
        check_resolution(resolution, self.patch)
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
