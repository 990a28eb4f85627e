"""Every token looks at every token: the attention of the plain ViT."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edgevit.model.rotary import rotated

BEYOND = -3e4
"""The score of what may not be looked at: its share is 0, and half precision has the number."""


@keras.saving.register_keras_serializable("edgevit")
class GlobalAttention(keras.layers.Layer):
    """Multi-head self-attention of every token over every token: the O(N²) of a ViT.

    [batch, N, width] -> [batch, N, width]. Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), section 3.2;
    Q, K and V come from one matrix, Q first, as in timm.
    qk_norm: each head's queries and keys go through a LayerNorm over the head's numbers, which all heads share
    (Dehghani et al. 2023, https://arxiv.org/abs/2302.05442, section 2); epsilon: of these norms.
    """

    def __init__(self, width: int, heads: int, qk_norm: bool = False, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.heads, self.qk_norm, self.epsilon = width, heads, qk_norm, epsilon
        self.qkv = keras.layers.Dense(3 * width, name="qkv")
        self.output_projection = keras.layers.Dense(width, name="output")
        if qk_norm:
            self.query_norm, self.key_norm = (
                keras.layers.LayerNormalization(epsilon=epsilon, name=name) for name in ("query_norm", "key_norm")
            )

    def build(self, input_shape: Any) -> None:
        self.qkv.build((None, None, self.width))
        self.output_projection.build((None, None, self.width))
        for norm in (self.query_norm, self.key_norm) if self.qk_norm else ():
            norm.build((None, None, None, self.width // self.heads))
        self.built = True

    def call(self, tokens: Any, causal: bool = False, rotation: Any = None) -> Any:
        """causal: a token looks at itself and at those before it alone, as text towers' do.

        rotation: cosines and sines that turn queries and keys (`edgevit.model.rotary.Rotation`).
        """
        queries, keys, values = self._by_head(tokens, rotation)
        mixed = ops.matmul(self._weights(queries, keys, causal), values)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, ops.shape(tokens)[1], self.width))
        return self.output_projection(mixed)

    def weights_of(self, tokens: Any, rotation: Any = None) -> Any:
        """[batch, N, width] -> how much each token looks at every other, [batch, heads, N, N]."""
        queries, keys, _ = self._by_head(tokens, rotation)
        return self._weights(queries, keys)

    def _by_head(self, tokens: Any, rotation: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values, each [batch, heads, N, head width]."""
        count, head_width = ops.shape(tokens)[1], self.width // self.heads
        qkv = ops.reshape(self.qkv(tokens), (-1, count, 3 * self.heads, head_width))
        queries, keys, values = ops.split(ops.transpose(qkv, (0, 2, 1, 3)), 3, axis=1)
        if self.qk_norm:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if rotation is not None:
            queries, keys = rotated(queries, rotation), rotated(keys, rotation)
        return queries, keys, values

    def _weights(self, queries: Any, keys: Any, causal: bool = False) -> Any:
        scores = ops.matmul(queries * (self.width // self.heads) ** -0.5, ops.transpose(keys, (0, 1, 3, 2)))
        if causal:
            places = ops.arange(ops.shape(scores)[-1])
            later = places[None, :] > places[:, None]
            scores = ops.where(later, ops.cast(BEYOND, scores.dtype), scores)
        return ops.softmax(scores, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "heads": self.heads,
            "qk_norm": self.qk_norm,
            "epsilon": self.epsilon,
        }
