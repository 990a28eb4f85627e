"""What an artefact says of a classifier that is not ours: `ForeignConfig`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from edgevit.config import check_resolution

__all__ = ["ForeignConfig"]


@dataclass(frozen=True)
class ForeignConfig:
    """A Keras picture classifier (`edgevit.model.ForeignModel`) as data; names are as in `ViTConfig`."""

    variant: str
    classes: int
    patch: int
    """The total stride, in pixels: of a ViT its patch, of a CNN a position of its last feature map."""
    base_resolution: int
    """The one that it was built for; where it was built for any, the largest of its ladder."""
    pixels: str
    resize: str = "crop:0.875"
    ladder: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()

    def tokens(self, resolution: int) -> int:
        """N = (R / patch)² + 1, as of a ViT: the positions of the last feature map, and one for all of them."""
        check_resolution(resolution, self.patch)
        return (resolution // self.patch) ** 2 + 1

    def with_(self, **changes: Any) -> ForeignConfig:
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
