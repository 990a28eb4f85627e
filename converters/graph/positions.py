"""Learned positions on another grid than they were learned on: resampled here, or by the graph as it runs.

A matrix along each axis, exactly as the Keras model does it: [rows, base rows] down, [columns, base columns]
across; one for both where squares become squares. Where the graph resamples, a ladder stores the learned positions
once, and each resolution its small matrices. In floats that is two products (`InFloats`). An integer
linear layer has weights of 8 bits, which are too few for a matrix that reaches every token: `InIntegers` splits it into
what 8 bits hold and what they leave, a linear layer each, whose sum is good to 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.graph.arithmetic import Arithmetic
from edgevit.config import Grid
from edgevit.model.positions import resampling_matrix

POSITIONS = "positions"
"""What comes before the slash in the names of the sites that resample, and what the learned ones are called."""
ADDED_POSITIONS = "added_positions"
"""What they are called where the graph adds them as they are."""
NOTHING = np.zeros((1, 1, 1, 1), np.float32)
"""An input of the graph until it is converted: whoever simplifies it before would see that it is zero."""


def matrices(base: Grid, grid: Grid, kernel: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Down [rows, base rows] and across [columns, base columns]; the same array where both are equal."""
    down = resampling_matrix(grid.rows, base.rows, kernel)
    same = (grid.rows, base.rows) == (grid.columns, base.columns)
    return down, down if same else resampling_matrix(grid.columns, base.columns, kernel)


def resample_positions(positions: Any, down: Any, across: Any) -> Any:
    """Learned positions [base patches, width] -> [1, rows, columns, width] of another grid, by its `matrices`, here."""
    down, across = (tf.cast(matrix, positions.dtype) for matrix in (down, across))
    plane = tf.reshape(positions, [down.shape[1], across.shape[1], -1])
    return tf.einsum("ri,cj,ijw->rcw", down, across, plane)[None]


@dataclass(frozen=True)
class InFloats:
    """The graph resamples by two products of float32, rows and then columns.

    GPUs refuse a product that no picture has a part in, and a constant on the left of one; one matrix for a batch of
    others they compute wrongly (docs/gpu.md). So a zero is added to each matrix that comes of the picture, pixels times
    `NOTHING`; to the one for columns a zero for each row, which makes it as many matrices. These additions are of the
    size of the matrices, not of the tokens.
    """

    down: Any  # [rows, base rows]; as the graph has it [1, 1, rows, base rows]
    across: Any  # [columns, base columns]; likewise
    nothing: Any = None  # `NOTHING` as the graph has it; None: that itself

    def table(self, learned: Any) -> Any:
        """[base patches, width] -> as the graph reads it: [1, 1, base rows, base columns * width]."""
        return tf.reshape(learned, [1, 1, self.down.shape[-1], -1])

    @property
    def inputs(self) -> dict[str, Any]:
        """What the graph takes besides the table, until it is converted."""
        given = {"resampling": self.down[None, None], "nothing": NOTHING}
        return given if self.across is self.down else {**given, "resampling_across": self.across[None, None]}

    def given(self, resampling: Any, nothing: Any, resampling_across: Any = None) -> InFloats:
        """With those as the graph has them."""
        return InFloats(resampling, resampling if resampling_across is None else resampling_across, nothing)

    def compute(self, do: Arithmetic, table: Any, pixels: Any) -> Any:
        """The positions [1, rows, columns, width]. pixels: [batch, H, W, 3], as many rows as patches have or more."""
        rows, base_columns = self.down.shape[-2], self.across.shape[-1]
        width = table.shape[-1] // base_columns
        first = do.view(f"{POSITIONS}/zeros", lambda: pixels[:1, :rows, :1, :1])
        nothing = do.constant(NOTHING if self.nothing is None else self.nothing)
        zeros = do.view(f"{POSITIONS}/zeros", tf.multiply, first, nothing)
        zero = do.view(f"{POSITIONS}/zero", lambda: zeros[:, :1])
        down = do.view(f"{POSITIONS}/down", tf.add, do.constant(self.down), zero)
        plane = do.compute(f"{POSITIONS}/rows", tf.matmul, down, do.constant(table))
        plane = do.view(f"{POSITIONS}/rows", tf.reshape, plane, [1, rows, base_columns, width])
        across = do.view(f"{POSITIONS}/across", tf.add, do.constant(self.across), zeros)
        return do.compute(f"{POSITIONS}/columns", tf.matmul, across, plane)


@dataclass(frozen=True)
class InIntegers:
    """The graph resamples by linear layers, columns and then rows, whose int8 weights together hold 16 bits."""

    down: Any  # [rows, base rows]
    across: Any  # [columns, base columns]

    def table(self, learned: Any) -> Any:
        """[base patches, width] -> as the graph reads it: [base rows, width, base columns]."""
        return tf.transpose(tf.reshape(learned, [self.down.shape[1], self.across.shape[1], -1]), [0, 2, 1])

    @property
    def inputs(self) -> dict[str, Any]:
        return {}

    def given(self) -> InIntegers:
        return self

    def compute(self, do: Arithmetic, table: Any, _pixels: Any) -> Any:
        """The positions [rows, columns, width]."""
        plane = _along_last(do, f"{POSITIONS}/columns", do.constant(table), self.across)  # [base rows, width, columns]
        plane = do.view(f"{POSITIONS}/columns", tf.transpose, plane, [2, 1, 0])
        plane = _along_last(do, f"{POSITIONS}/rows", plane, self.down)  # [columns, width, rows]
        return do.view(f"{POSITIONS}/rows", tf.transpose, plane, [2, 0, 1])


def _along_last(do: Arithmetic, site: str, values: Any, matrix: Any) -> Any:
    """[a, b, base] -> [a, b, size], with a matrix [size, base]."""
    (size, base), (first, second) = matrix.shape, values.shape[:2]
    flat = do.view(site, tf.reshape, values, [first * second, base])
    parts = [
        do.compute(f"{site}/{name}", tf.matmul, flat, part, transpose_b=True)
        for name, part in in_8_bits(matrix).items()
    ]
    summed = do.compute(site, tf.add, *parts) if len(parts) > 1 else parts[0]
    return do.view(site, tf.reshape, summed, [first, second, size])


def in_8_bits(matrix: Any) -> dict[str, NDArray[np.float32]]:
    """A matrix in parts, of its shape, that 8 bits hold; one where that is all."""
    matrix = np.asarray(matrix, np.float32)
    step = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127.0)  # as `rounding.weight_scale`: never zero
    coarse = np.round(matrix / step) * step
    fine = matrix - coarse
    return {"coarse": coarse, "fine": fine} if np.abs(fine).max() > 1e-6 else {"coarse": coarse}


Resampling = InFloats | InIntegers
