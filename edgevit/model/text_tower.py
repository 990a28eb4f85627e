"""The text tower of an image-text model: text tokens in, a vector out. `edgevit/text_vectors.py` is it in numpy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edgevit.model.encoder import EncoderBlock
from edgevit.model.heads import unit_length
from edgevit.text_config import TextConfig


@keras.saving.register_keras_serializable("edgevit")
class TextTower(keras.layers.Layer):
    """Text tokens' numbers, int [texts, context] -> float32 [texts, vector_width] of length 1.

    Learned positions, pre-norm blocks and a last norm, as in a ViT; which row is read, and whether a token sees what
    follows it, `TextConfig` says (Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.4; Zhai et al. 2023,
    https://arxiv.org/abs/2303.15343).
    """

    def __init__(self, config: TextConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.blocks = [
            EncoderBlock(
                config.width,
                config.heads,
                config.mlp_width,
                epsilon=config.layer_norm_epsilon,
                activation=config.activation,
                name=f"block{index}",
            )
            for index in range(config.depth)
        ]
        self.norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_epsilon, name="norm")
        self.projection = (
            keras.layers.Dense(config.projection, use_bias=config.projection_bias, dtype="float32", name="projection")
            if config.projection
            else None
        )

    def build(self, input_shape: Any) -> None:
        config, rows = self.config, (None, None, self.config.width)
        # The stretch of each is CLIP's, section 2.4's code.
        self.words = self.add_weight(
            shape=(config.vocabulary, config.width),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="words",
        )
        self.positions = self.add_weight(
            shape=(config.context, config.width),
            initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="positions",
        )
        for layer in (*self.blocks, self.norm):
            layer.build(rows)
        if self.projection is not None:
            self.projection.build((None, config.width))
        self.built = True

    def call(self, tokens: Any, training: bool | None = None) -> Any:
        rows = ops.take(self.words, tokens, axis=0) + self.positions
        rows = ops.cast(rows, self.compute_dtype)
        for block in self.blocks:
            rows = block(rows, training=training, causal=self.config.causal)
        if self.config.read == "end":
            # One row of each text: the first that holds the end, as a sum over rows, whose gradient is simple.
            ends = ops.cast(ops.equal(tokens, self.config.end_id), "int32")
            first = ops.one_hot(ops.argmax(ends, axis=1), self.config.context, dtype=rows.dtype)
            row = ops.sum(rows * ops.expand_dims(first, -1), axis=1)
        else:
            row = rows[:, -1]
        row = self.norm(row)
        return unit_length(row if self.projection is None else self.projection(row))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextTower:
        return cls(TextConfig.from_dict(config.pop("config")), **config)
