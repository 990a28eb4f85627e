"""Pixels become patch tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("edgevit")
class PatchEmbedding(keras.layers.Layer):
    """Normalises raw pixels and projects each P x P patch to one token.

    [batch, H, W, 3] pixels in 0..255 -> [batch, H/P, W/P, width] tokens.
    Equation 1 of Dosovitskiy et al. 2021 (https://arxiv.org/abs/2010.11929), as a strided convolution; or, with
    `stem_widths`, so many 3 x 3 convolutions with a ReLU behind each and one without, which all halve rows and columns
    (Xiao et al. 2021, https://arxiv.org/abs/2106.14881; batch norms are part of their weights here).
    """

    def __init__(
        self,
        width: int,
        patch: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        stem_widths: tuple[int, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.patch, self.mean, self.std = width, patch, tuple(mean), tuple(std)
        self.stem_widths = tuple(stem_widths)
        self.stem = [_convolution(each, 3, 2, f"stem{index}", "relu") for index, each in enumerate(self.stem_widths)]
        side, step = (3, 2) if self.stem_widths else (patch, patch)
        self.projection = _convolution(width, side, step, "projection")

    def build(self, input_shape: Any) -> None:
        for layer, read in zip((*self.stem, self.projection), (3, *self.stem_widths), strict=True):
            layer.build((None, None, None, read))
        self.built = True

    def call(self, images: Any) -> Any:
        # Normalise in float32 even under mixed precision: 8 bits of mantissa would lose pixels.
        pixels = ops.cast(images, "float32")
        mean = ops.convert_to_tensor(self.mean, dtype="float32")
        std = ops.convert_to_tensor(self.std, dtype="float32")
        plane = ops.cast((pixels / 255.0 - mean) / std, self.compute_dtype)
        for layer in self.stem:
            plane = layer(_edged(plane))
        return self.projection(_edged(plane) if self.stem else plane)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "patch": self.patch,
            "mean": self.mean,
            "std": self.std,
            "stem_widths": self.stem_widths,
        }


def _convolution(width: int, side: int, step: int, name: str, activation: str | None = None) -> keras.layers.Conv2D:
    options = {"activation": activation, "kernel_initializer": "glorot_uniform", "name": name}
    return keras.layers.Conv2D(width, side, strides=step, padding="valid", **options)


def _edged(plane: Any) -> Any:
    """Zeros above and to the left: sides are even, and the last window of three ends with the plane."""
    return ops.pad(plane, [[0, 0], [1, 0], [1, 0], [0, 0]])
