"""What reads the encoder's tokens."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("edgevit")
class ClassificationHead(keras.layers.Layer):
    """One linear layer on one token, the class token by default: [batch, N, width] -> logits [batch, classes]."""

    def __init__(self, width: int, classes: int, token: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.classes, self.token = width, classes, token
        # Logits stay float32 under mixed precision: a softmax over half-precision logits is too coarse to train on.
        self.linear = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name="linear")

    def build(self, input_shape: Any) -> None:
        self.linear.build((None, self.width))
        self.built = True

    def call(self, tokens: Any) -> Any:
        return self.linear(tokens[:, self.token])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "classes": self.classes, "token": self.token}
