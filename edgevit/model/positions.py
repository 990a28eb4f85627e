"""The learned tokens in front and the learned positions, resampled to any grid."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edgevit.config import Grid


@lru_cache(maxsize=64)
def resampling_matrix(size: int, base: int, kernel: str = "bicubic") -> NDArray[np.float32]:
    """The matrix [size, base] that resamples `base` points on a line to `size`, antialiased.

    kernel: a key of `edgevit.model_choices.RESAMPLINGS`. The same numbers as Pillow's BICUBIC and BILINEAR, and as
    PyTorch's `interpolate(mode=..., antialias=True)`: Keys' kernel with a = -0.5 (R. Keys 1981,
    https://doi.org/10.1109/TASSP.1981.1163711) or a triangle, widened when it shrinks, normalised at the borders. As a
    matrix it is the same on every backend, has a gradient, and the lowering can use it as it is.
    """
    if size == base:
        return np.eye(size, dtype=np.float32)
    scale = base / size
    stretch = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    distance = np.abs((np.arange(base) + 0.5)[None, :] - centres[:, None]) / stretch
    if kernel == "bilinear":
        weights = np.maximum(0.0, 1.0 - distance)
    else:
        a = -0.5
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    matrix: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


@keras.saving.register_keras_serializable("edgevit")
class Positions(keras.layers.Layer):
    """Puts learned tokens (class token, distillation token, registers) in front, and adds a learned position to each.

    [batch, rows, columns, width] -> [batch, prefix + rows * columns, width] for any grid, prefix being 1 with
    `class_token`, one more with `distilled`, and `registers` more:
    positions are learned on `base_grid`, rows x columns, and resampled, as is usual when a ViT changes resolution
    (Dosovitskiy et al. 2021, section 3.2), bicubically unless `resampling` says otherwise. The tokens in front have
    positions of their own, which stay.
    Without `learned` there are none to add.
    """

    def __init__(
        self,
        width: int,
        base_grid: tuple[int, int],
        distilled: bool = False,
        registers: int = 0,
        has_class_token: bool = True,
        learned: bool = True,
        resampling: str = "bicubic",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.base_grid, self.distilled, self.registers = width, Grid(*base_grid), distilled, registers
        self.has_class_token, self.learned, self.resampling = has_class_token, learned, resampling
        self.prefix = int(has_class_token) + int(distilled) + registers

    def build(self, input_shape: Any) -> None:
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        if self.has_class_token:
            self.class_token = self.add_weight(shape=(1, self.width), initializer=small, name="class_token")
        if self.distilled:
            self.distillation_token = self.add_weight(
                shape=(1, self.width), initializer=small, name="distillation_token"
            )
        if self.registers:
            self.register_tokens = self.add_weight(
                shape=(self.registers, self.width), initializer=small, name="register_tokens"
            )
        if self.learned:
            count = self.prefix + self.base_grid.patches
            self.positions = self.add_weight(shape=(count, self.width), initializer=small, name="positions")
        self.built = True

    def matrices(self, grid: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What resamples the learned positions to a grid: [rows, base rows] and [columns, base columns]."""
        base, kernel = self.base_grid, self.resampling
        return resampling_matrix(grid[0], base.rows, kernel), resampling_matrix(grid[1], base.columns, kernel)

    def resampled(self, grid: tuple[int, int]) -> Any:
        """The positions for a picture of that grid, rows x columns: [prefix + rows * columns, width], row by row.

        Those of the tokens in front come first.
        """
        if tuple(grid) == self.base_grid:
            return ops.convert_to_tensor(self.positions)
        return self._resampled_by(*self.matrices(grid))

    def _resampled_by(self, down: Any, across: Any) -> Any:
        """[rows, base rows], [columns, base columns] -> [prefix + rows * columns, width]."""
        base, width = self.base_grid, self.width
        positions = ops.convert_to_tensor(self.positions)
        down, across = (ops.cast(ops.convert_to_tensor(each), positions.dtype) for each in (down, across))
        rows, columns = ops.shape(down)[0], ops.shape(across)[0]
        plane = ops.reshape(positions[self.prefix :], (base.rows, base.columns * width))
        plane = ops.reshape(ops.matmul(down, plane), (rows, base.columns, width))
        plane = ops.matmul(across, plane)  # one row of patches at a time
        return ops.concatenate([positions[: self.prefix], ops.reshape(plane, (rows * columns, width))], axis=0)

    def call(self, patches: Any, matrices: tuple[Any, Any] | None = None) -> Any:
        """matrices: those of the pictures' grid, for a graph that is traced without knowing it."""
        batch, rows, columns, _ = ops.shape(patches)
        tokens = ops.reshape(patches, (-1, rows * columns, self.width))
        if front := self._front():
            first = ops.broadcast_to(ops.concatenate(front, axis=0), (batch, self.prefix, self.width))
            tokens = ops.concatenate([ops.cast(first, tokens.dtype), tokens], axis=1)
        if not self.learned:
            return tokens
        positions = self.resampled((rows, columns)) if matrices is None else self._resampled_by(*matrices)
        return tokens + ops.cast(positions, tokens.dtype)

    def _front(self) -> list[Any]:
        """The tokens in front, kind by kind: each [n, width]."""
        kinds = (
            ("class_token", self.has_class_token),
            ("distillation_token", self.distilled),
            ("register_tokens", self.registers),
        )
        return [ops.convert_to_tensor(getattr(self, name)) for name, there in kinds if there]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "base_grid": self.base_grid,
            "distilled": self.distilled,
            "registers": self.registers,
            "has_class_token": self.has_class_token,
            "learned": self.learned,
        }
