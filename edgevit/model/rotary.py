"""Rotary positions: by how much queries and keys are turned at each place of a grid.

Su et al. 2021 (https://arxiv.org/abs/2104.09864), section 3.2; along two axes as in EVA-02 (Fang et al. 2023,
https://arxiv.org/abs/2303.11331) and DINOv3 (Siméoni et al. 2025, https://arxiv.org/abs/2508.10104). A head's channels
are pairs, half the head apart; the first half of the pairs turns with the row, the other with the column. Families
whose pairs lie side by side, or whose columns come first, have the same products with their channels sorted so.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from edgevit.config import Grid, ViTConfig

Rotation = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Cosines and sines of all tokens, [N, head width] each: what `rotated` takes."""


def _centred(size: int, _base: int) -> NDArray[np.float64]:
    """Of each place along an axis: its centre, from -1 to 1, times 2 π."""
    return 2.0 * pi * (2.0 * (np.arange(size) + 0.5) / size - 1.0)


def _index(size: int, base: int) -> NDArray[np.float64]:
    """Of each place along an axis: its number from 1 on an axis of `base` places."""
    return (np.arange(size) + 1.0) / size * base


PLACES: dict[str, Callable[[int, int], NDArray[np.float64]]] = {"centred": _centred, "index": _index}
"""By the names of `edgevit.model_choices.ROTARIES`: places along an axis of `size`, whose angles are these times
θ^(-4 i / head width), i from 0."""


def rotation_of(config: ViTConfig, grid: Grid) -> Rotation | None:
    """What turns the queries and keys of a picture with that grid; None where nothing does.

    The tokens in front stand still. In float64, rounded to float32 once.
    """
    if not config.rotary:
        return None
    places, quarter = PLACES[config.rotary], config.head_width // 4
    bases = config.rotary_grid or grid
    frequencies = config.rotary_theta ** (-np.arange(quarter) / quarter)
    down, across = (
        np.outer(places(size, base), frequencies) for size, base in zip(grid, bases, strict=True)
    )  # [rows, quarter] and [columns, quarter]
    angles = np.zeros((grid.rows, grid.columns, 2, quarter))
    angles[:, :, 0], angles[:, :, 1] = down[:, None], across[None]
    still = np.zeros((config.prefix, 2 * quarter))
    halves = np.concatenate([still, angles.reshape(grid.patches, -1)])
    both = np.concatenate([halves, halves], axis=1)
    return np.cos(both).astype(np.float32), np.sin(both).astype(np.float32)


def rotated(heads: Any, rotation: Any) -> Any:
    """Queries or keys [batch, heads, N, head width] turned: pairs (a, b) become (a cos - b sin, b cos + a sin)."""
    cosines, sines = (ops.cast(each, heads.dtype) for each in rotation)
    first, second = ops.split(heads, 2, axis=-1)
    return heads * cosines + ops.concatenate([-second, first], axis=-1) * sines
