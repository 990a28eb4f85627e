"""What reads the encoder's tokens for the picture as a whole: its vector, and its classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

LEAST_LENGTH = 1e-12
"""Squared: a vector of nothing but zeros stays one."""


def unit_length(vectors: Any) -> Any:
    """[..., width] -> the same direction, float32, of length 1."""
    vectors = ops.cast(vectors, "float32")
    return vectors * ops.rsqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True) + LEAST_LENGTH)


@keras.saving.register_keras_serializable("edgevit")
class ClassificationHead(keras.layers.Layer):
    """One linear layer on what stands for the picture: [batch, width] -> logits [batch, classes]."""

    def __init__(self, width: int, classes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.classes = width, classes
        # Logits stay float32 under mixed precision: a softmax over half-precision logits is too coarse to train on.
        self.linear = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="linear")

    def build(self, input_shape: Any) -> None:
        self.linear.build((None, self.width))
        self.built = True

    def call(self, values: Any) -> Any:
        return self.linear(values)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "classes": self.classes}


@keras.saving.register_keras_serializable("edgevit")
class CosineHead(keras.layers.Layer):
    """A vector for each class, `linear/kernel` [width, classes]: pictures' vectors [batch, width] of length 1 -> logits
    [batch, classes], `scale` times the cosine of both, and a bias.

    The length of a class's vector does not count (Zhai and Wu 2019, https://arxiv.org/abs/1811.12649, section 3).
    """

    def __init__(self, width: int, classes: int, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.classes, self.scale = width, classes, scale
        # A class's vector needs a direction to begin with.
        self.linear = keras.layers.Dense(classes, kernel_initializer="glorot_normal", dtype="float32", name="linear")

    def build(self, input_shape: Any) -> None:
        self.linear.build((None, self.width))
        self.built = True

    def call(self, vectors: Any) -> Any:
        classes = unit_length(ops.transpose(self.linear.kernel))
        return self.scale * ops.matmul(ops.cast(vectors, "float32"), ops.transpose(classes)) + self.linear.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "classes": self.classes, "scale": self.scale}


@keras.saving.register_keras_serializable("edgevit")
class VectorHead(keras.layers.Layer):
    """The picture's vector, of length 1: [batch, pooled] -> float32 [batch, width].

    projection: the width that a linear layer gives it; 0: what is pooled is the vector.
    """

    def __init__(self, pooled: int, projection: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooled, self.width = pooled, projection
        self.projection = keras.layers.Dense(projection, dtype="float32", name="projection") if projection else None

    def build(self, input_shape: Any) -> None:
        if self.projection is not None:
            self.projection.build((None, self.pooled))
        self.built = True

    def call(self, values: Any) -> Any:
        return unit_length(values if self.projection is None else self.projection(values))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pooled": self.pooled, "projection": self.width}
