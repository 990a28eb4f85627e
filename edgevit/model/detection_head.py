"""What reads all tokens for boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from edgevit.dense_head import DenseHead

LEVELS = 3
"""Maps of cells, whose sides are `ViTConfig.cell_strides`."""
TOWER = 2
"""The convolutions between a level's map and what is read from it."""
FIRST_REACH = 2.0
"""How far a fresh head says that edges are, in cells: a box of four cells' width, as RetinaNet's anchors have. Which
level learns a box begins with whose first guess fits it: a smaller one would give all to the coarse levels."""
RARE = 0.01
"""How sure a fresh head is of each class in a cell (the prior of Lin et al. 2017, arXiv 1708.02002, section 4.1)."""
FRESH_DEVIATION = 0.01
"""Of the last layers' fresh weights, as there: wider ones begin with a loss so high that the warm-up is lost on it."""


@keras.saving.register_keras_serializable("edgevit")
class DetectionHead(keras.layers.Layer):
    """Planes of tokens behind the last norm, those after `ViTConfig.detail_block` first, each
    [batch, rows, columns, width] -> `log_distances` [batch, cells, 4] and `cell_logits` [batch, cells, classes].

    Cells are those of the finest level row by row, then those of the next, as
    `edgevit_runtime.tasks.box_decoding.grids_of` counts them. log_distances: the natural logarithm of how far a box's
    left, top, right and bottom edge are from the cell's middle, in cells. cell_logits: before a sigmoid.

    The neck reads the mean of the last blocks' tokens, as ECDet's does (arXiv 2603.18739), and makes three maps of it,
    as ViTDet's simple pyramid does (arXiv 2203.16527, section 3): a linear layer to the four quarters of each patch
    (a 2x2 transposed convolution), one to the patch, and of that a 2x2 convolution with steps of 2, whose cells lie as
    they must at odd sizes, too: the last one stands out over the edge, and what is out there is zero. Quarters that
    were resized bilinearly would not know which of the four they are; and what is where in a patch the tokens of an
    early block still say, which are read for the quarters alone. Behind a 3x3 convolution of its own each level goes
    through the same two towers, as in FCOS (arXiv 1904.01355).
    """

    def __init__(self, tokens_width: int, spec: DenseHead | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens_width = tokens_width
        self.spec = spec if isinstance(spec, DenseHead) else DenseHead.from_dict(spec)
        width = self.spec.width
        self.quarters = keras.layers.Dense(4 * width, name="quarters")
        self.details = keras.layers.Dense(4 * width, name="details")
        self.projection = keras.layers.Dense(width, name="projection")
        self.halved = keras.layers.Conv2D(width, 2, strides=2, padding="same", name="halved")
        self.levels = [_convolution(width, f"level{index}") for index in range(LEVELS)]
        self.class_tower = [_convolution(width, f"class_tower{index}") for index in range(TOWER)]
        self.edge_tower = [_convolution(width, f"edge_tower{index}") for index in range(TOWER)]
        # What it puts out stays float32 under mixed precision, as a classifier's logits do.
        self.cells = _answers(self.spec.outputs, math.log(RARE / (1.0 - RARE)), "cells")
        self.edges = _answers(4, math.log(FIRST_REACH), "edges")

    def build(self, input_shape: Any) -> None:
        for layer in (self.quarters, self.details, self.projection):
            layer.build((None, None, None, self.tokens_width))
        for layer in (self.halved, *self.levels, *self.class_tower, *self.edge_tower, self.cells, self.edges):
            layer.build((None, None, None, self.spec.width))
        self.built = True

    def call(self, planes: Sequence[Any]) -> dict[str, Any]:
        early, *late = planes
        mean = sum(late) / len(late)
        plane = self.projection(mean)
        sizes = (side_by_side(self.quarters(mean) + self.details(early)), plane, self.halved(plane))
        levels = [level(each) for level, each in zip(self.levels, sizes, strict=True)]
        return {
            "log_distances": self.edges(self._read(levels, self.edge_tower)),
            "cell_logits": self.cells(self._read(levels, self.class_tower)),
        }

    def _read(self, levels: Sequence[Any], tower: Sequence[keras.layers.Layer]) -> Any:
        """Each level through the tower, one behind the other: [batch, cells, width]."""
        read = []
        for plane in levels:
            for layer in tower:
                plane = layer(plane)
            read.append(ops.reshape(plane, (ops.shape(plane)[0], -1, self.spec.width)))
        return ops.concatenate(read, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tokens_width": self.tokens_width, "spec": self.spec.to_dict()}


def _answers(outputs: int, first: float, name: str) -> keras.layers.Layer:
    """A linear layer that says nearly `first` everywhere as long as it is fresh."""
    return keras.layers.Dense(
        outputs,
        kernel_initializer=keras.initializers.RandomNormal(stddev=FRESH_DEVIATION),
        bias_initializer=keras.initializers.Constant(first),
        dtype="float32",
        name=name,
    )


def side_by_side(plane: Any) -> Any:
    """[batch, rows, columns, 4 n] -> [batch, 2 rows, 2 columns, n]: of each place the upper two, then the lower two."""
    batch, rows, columns, width = ops.shape(plane)
    plane = ops.transpose(ops.reshape(plane, (batch * rows, columns, 2, width // 2)), (0, 2, 1, 3))
    return ops.reshape(plane, (batch, 2 * rows, 2 * columns, width // 4))


def _convolution(width: int, name: str) -> keras.layers.Layer:
    return keras.layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name)
