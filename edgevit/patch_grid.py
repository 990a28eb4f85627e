"""The grid of patches that a picture is cut into, and the resolutions that have one."""

from __future__ import annotations

from typing import NamedTuple

from edgevit.errors import ResolutionError
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

MAX_TOKENS = 96**2 + 1
"""Beyond 96 x 96 patches (1536 px at patch 16) one block's attention weights alone pass a gigabyte at 3 heads."""


class Grid(NamedTuple):
    """The patches of a picture: `rows` of them down and `columns` across."""

    rows: int
    columns: int

    @property
    def patches(self) -> int:
        return self.rows * self.columns


def nearest_resolution(resolution: ResolutionLike, patch: int) -> Resolution:
    """The resolution whose sides are the multiples of `patch` that are nearest to those of `resolution`."""
    resolution = as_resolution(resolution)
    width, height = (max(1, round(side / patch)) * patch for side in (resolution.width, resolution.height))
    return Resolution(width, height)


def check_resolution(resolution: ResolutionLike, patch: int) -> None:
    """Raises `ResolutionError`, naming the nearest valid one, unless `patch` divides both sides of `resolution`."""
    resolution = as_resolution(resolution)
    if resolution.width % patch or resolution.height % patch:
        sides = "" if resolution.is_square else " in width and height"
        raise ResolutionError(
            f"resolution {resolution} is not a multiple of the patch size {patch}{sides}; "
            f"the nearest valid one is {nearest_resolution(resolution, patch)}"
        )
    tokens = (resolution.width // patch) * (resolution.height // patch) + 1
    if tokens > MAX_TOKENS:
        raise ResolutionError(
            f"resolution {resolution} makes {tokens} tokens of patches of {patch}; at most {MAX_TOKENS} are supported, "
            f"which is resolution {patch * 96}"
        )
