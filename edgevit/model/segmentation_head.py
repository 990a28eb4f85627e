"""What reads all tokens for a class at each place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from edgevit.dense_head import DenseHead

UPSAMPLED = 4
"""The class map has so many places for each patch's side: with patches of 16, one for each 4 pixels."""


@keras.saving.register_keras_serializable("edgevit")
class SegmentationHead(keras.layers.Layer):
    """Planes of tokens behind the last norm, each [batch, rows, columns, width] -> logits [batch, 4 rows, 4 columns,
    outputs].

    Form `linear`: a linear layer, resized bilinearly (Oquab et al. 2023, arXiv 2304.07193, section 7.4).
    Form `conv`: the mean of the planes, a linear layer, a 3x3 convolution, twice the size, another 3x3 convolution,
    the classes, and twice the size again.
    """

    def __init__(self, tokens_width: int, spec: DenseHead | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens_width = tokens_width
        self.spec = spec if isinstance(spec, DenseHead) else DenseHead.from_dict(spec)
        self.hidden: list[keras.layers.Layer] = []
        if self.spec.form == "conv":
            width = self.spec.width
            self.projection = keras.layers.Dense(width, name="projection")
            self.near = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="near")
            self.fine = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="fine")
            self.hidden = [self.projection, self.near, self.fine]
        # Logits stay float32 under mixed precision, as a classifier's do.
        self.classes = keras.layers.Dense(self.spec.outputs, dtype="float32", name="classes")

    def build(self, input_shape: Any) -> None:
        width = self.tokens_width
        for layer in self.hidden:
            layer.build((None, None, None, width))
            width = self.spec.width
        self.classes.build((None, None, None, width))
        self.built = True

    def call(self, planes: Sequence[Any]) -> Any:
        if self.spec.form == "linear":
            return enlarged(self.classes(planes[-1]), UPSAMPLED)
        mean = sum(planes) / len(planes)
        near = self.near(self.projection(mean))
        return enlarged(self.classes(self.fine(enlarged(near, 2))), UPSAMPLED // 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tokens_width": self.tokens_width, "spec": self.spec.to_dict()}


def enlarged(plane: Any, times: int) -> Any:
    """[batch, rows, columns, n] -> [batch, times rows, times columns, n], bilinearly, by the middles of pixels.

    As `ops.image.resize` has it, which must know the size when a graph is traced.
    """
    for axis in (1, 2):
        first, last = (slice(None),) * axis + (slice(0, 1),), (slice(None),) * axis + (slice(-1, None),)
        but_first, but_last = (slice(None),) * axis + (slice(1, None),), (slice(None),) * axis + (slice(0, -1),)
        before = ops.concatenate([plane[first], plane[but_last]], axis=axis)
        after = ops.concatenate([plane[but_first], plane[last]], axis=axis)
        places = [(index + 0.5) / times - 0.5 for index in range(times)]  # of new pixels, in old ones from the middle
        parts = [(1.0 - abs(at)) * plane + abs(at) * (before if at < 0.0 else after) for at in places]
        shape = list(ops.shape(plane))
        shape[axis] = shape[axis] * times
        plane = ops.reshape(ops.stack(parts, axis=axis + 1), shape)
    return plane
