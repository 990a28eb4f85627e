"""Learned positions on another grid than they were learned on: resampled here, or by the graph as it runs.

Bicubic, a matrix [grid, base] along each axis, exactly as the Keras model does it. Where the graph resamples, a ladder
stores the learned positions once, and each resolution its small matrix. In floats that is two products. An integer
linear layer has weights of 8 bits, which are too few for a matrix that reaches every token: `InIntegers` splits it into
what 8 bits hold and what they leave, a linear layer each, whose sum is good to 16.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.graph.arithmetic import Arithmetic
from edgevit.model.positions import bicubic_matrix

POSITIONS = "positions"
"""What comes before the slash in the names of the sites that resample, and what the learned ones are called."""


def resample_positions(positions: Any, base: int, grid: int) -> Any:
    """Learned positions [base², width] -> [grid², width], here."""
    matrix = tf.cast(bicubic_matrix(grid, base), positions.dtype)
    plane = tf.reshape(positions, [base, base, -1])
    return tf.reshape(tf.einsum("ri,cj,ijw->rcw", matrix, matrix, plane), [grid * grid, -1])


@dataclass(frozen=True)
class InFloats:
    """The graph resamples by two products of float32, rows and then columns."""

    matrix: Any  # [grid, base]

    def table(self, learned: Any) -> Any:
        """[base², width] -> as the graph reads it: [base, base * width]."""
        return tf.reshape(learned, [self.matrix.shape[1], -1])

    @property
    def inputs(self) -> dict[str, Any]:
        """What the graph takes besides the table, until it is converted."""
        return {"resampling": self.matrix}

    def given(self, resampling: Any) -> InFloats:
        """With those as the graph has them."""
        return replace(self, matrix=resampling)

    def compute(self, do: Arithmetic, table: Any) -> Any:
        """The positions [grid², width]."""
        matrix, (grid, base) = do.constant(self.matrix), self.matrix.shape
        width = table.shape[1] // base
        rows = do.compute(f"{POSITIONS}/rows", tf.matmul, matrix, do.constant(table))
        rows = do.view(f"{POSITIONS}/rows", tf.reshape, rows, [grid, base, width])
        columns = do.compute(f"{POSITIONS}/columns", tf.matmul, matrix, rows)
        return do.view(f"{POSITIONS}/columns", tf.reshape, columns, [grid * grid, width])


@dataclass(frozen=True)
class InIntegers:
    """The graph resamples by linear layers, columns and then rows, whose int8 weights together hold 16 bits."""

    matrix: Any  # [grid, base]

    def table(self, learned: Any) -> Any:
        """[base², width] -> as the graph reads it: [base, width, base], the columns last."""
        base = self.matrix.shape[1]
        return tf.transpose(tf.reshape(learned, [base, base, -1]), [0, 2, 1])

    @property
    def inputs(self) -> dict[str, Any]:
        return {}

    def given(self) -> InIntegers:
        return self

    def compute(self, do: Arithmetic, table: Any) -> Any:
        """The positions [grid², width]."""
        grid, width = self.matrix.shape[0], table.shape[1]
        columns = self._along_last(do, f"{POSITIONS}/columns", do.constant(table))  # [base, width, grid]
        columns = do.view(f"{POSITIONS}/columns", tf.transpose, columns, [2, 1, 0])
        rows = self._along_last(do, f"{POSITIONS}/rows", columns)  # [grid, width, grid], the columns first
        rows = do.view(f"{POSITIONS}/rows", tf.transpose, rows, [2, 0, 1])
        return do.view(f"{POSITIONS}/rows", tf.reshape, rows, [grid * grid, width])

    def _along_last(self, do: Arithmetic, site: str, values: Any) -> Any:
        """[a, b, base] -> [a, b, grid]."""
        (grid, base), (first, second) = self.matrix.shape, values.shape[:2]
        flat = do.view(site, tf.reshape, values, [first * second, base])
        parts = [
            do.compute(f"{site}/{name}", tf.matmul, flat, part, transpose_b=True) for name, part in self.parts().items()
        ]
        summed = do.compute(site, tf.add, *parts) if len(parts) > 1 else parts[0]
        return do.view(site, tf.reshape, summed, [first, second, grid])

    def parts(self) -> dict[str, NDArray[np.float32]]:
        """The matrix in parts [grid, base] that 8 bits hold; one where that is all."""
        matrix = np.asarray(self.matrix, np.float32)
        step = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127.0)  # as `rounding.weight_scale`: never zero
        coarse = np.round(matrix / step) * step
        fine = matrix - coarse
        return {"coarse": coarse, "fine": fine} if np.abs(fine).max() > 1e-6 else {"coarse": coarse}


Resampling = InFloats | InIntegers
