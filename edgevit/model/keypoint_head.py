"""What reads all tokens for points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from edgevit.dense_head import DenseHead

LOW = -4.0
"""The logits of a fresh head: a heatmap is next to zero nearly everywhere."""


@keras.saving.register_keras_serializable("edgevit")
class KeypointHead(keras.layers.Layer):
    """Planes of tokens behind the last norm, each [batch, rows, columns, width] -> `heatmaps`, logits
    [batch, 4 rows, 4 columns, points].

    ViTPose's classic decoder (arXiv 2204.12484, section 3.1) without its batch norms, on the mean of the planes behind
    a linear layer: two transposed 4x4 convolutions, each of which doubles the map about its middle, and a linear layer.
    """

    def __init__(self, tokens_width: int, spec: DenseHead | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tokens_width = tokens_width
        self.spec = spec if isinstance(spec, DenseHead) else DenseHead.from_dict(spec)
        self.projection = keras.layers.Dense(self.spec.width, name="projection")
        self.doubled = [_doubling(self.spec.width, name) for name in ("first_doubled", "second_doubled")]
        # Logits stay float32 under mixed precision, as a classifier's do.
        low = keras.initializers.Constant(LOW)
        self.points = keras.layers.Dense(self.spec.outputs, bias_initializer=low, dtype="float32", name="points")

    def build(self, input_shape: Any) -> None:
        self.projection.build((None, None, None, self.tokens_width))
        for layer in (*self.doubled, self.points):
            layer.build((None, None, None, self.spec.width))
        self.built = True

    def call(self, planes: Sequence[Any]) -> dict[str, Any]:
        plane = self.projection(sum(planes) / len(planes))
        for layer in self.doubled:
            plane = layer(plane)
        return {"heatmaps": self.points(plane)}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "tokens_width": self.tokens_width, "spec": self.spec.to_dict()}


def _doubling(width: int, name: str) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        width, 4, strides=2, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )
