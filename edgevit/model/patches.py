"""Pixels become patch tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("edgevit")
class PatchEmbedding(keras.layers.Layer):
    """Normalises raw pixels and projects each P x P patch to one token.

    [batch, H, W, 3] pixels in 0..255 -> [batch, H/P, W/P, width] tokens.
    Equation 1 of Dosovitskiy et al. 2021 (https://arxiv.org/abs/2010.11929), as a strided convolution.
    """

    def __init__(
        self,
        width: int,
        patch: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.patch, self.mean, self.std = width, patch, tuple(mean), tuple(std)
        self.projection = keras.layers.Conv2D(
            width,
            patch,
            strides=patch,
            padding="valid",
            kernel_initializer="glorot_uniform",
            name="projection",
        )

    def build(self, input_shape: Any) -> None:
        self.projection.build((None, None, None, 3))
        self.built = True

    def call(self, images: Any) -> Any:
        # Normalise in float32 even under mixed precision: 8 bits of mantissa would lose pixels.
        pixels = ops.cast(images, "float32")
        mean = ops.convert_to_tensor(self.mean, dtype="float32")
        std = ops.convert_to_tensor(self.std, dtype="float32")
        pixels = ops.cast((pixels / 255.0 - mean) / std, self.compute_dtype)
        return self.projection(pixels)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "patch": self.patch,
            "mean": self.mean,
            "std": self.std,
        }
