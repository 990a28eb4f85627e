"""What stands for the whole picture by attention: one learned query over the patch tokens."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edgevit.model.mlp_activations import FUNCTIONS


@keras.saving.register_keras_serializable("edgevit")
class AttentionPooling(keras.layers.Layer):
    """Multihead attention pooling: [batch, n, width], behind the last norm -> [batch, width].

    x = attention(query, tokens), then x + mlp(norm(x)) (Zhai et al. 2022, https://arxiv.org/abs/2106.04560, section
    3.3; Lee et al. 2019, https://arxiv.org/abs/1810.00825, section 3.1).
    """

    def __init__(
        self, width: int, heads: int, mlp_width: int, activation: str = "gelu", epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.heads = width, heads
        self.spec = {"mlp_width": mlp_width, "activation": activation, "epsilon": epsilon}
        self.activation = FUNCTIONS[activation]
        self.queries, self.keys, self.values, self.output_projection = (
            keras.layers.Dense(width, name=name) for name in ("queries", "keys", "values", "output")
        )
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm")
        self.expand = keras.layers.Dense(mlp_width, name="expand")
        self.contract = keras.layers.Dense(width, name="contract")

    def build(self, input_shape: Any) -> None:
        small = keras.initializers.TruncatedNormal(stddev=self.width**-0.5)
        self.query = self.add_weight(shape=(1, self.width), initializer=small, name="query")
        for layer in (self.queries, self.keys, self.values, self.output_projection, self.norm, self.expand):
            layer.build((None, None, self.width))
        self.contract.build((None, None, self.spec["mlp_width"]))
        self.built = True

    def call(self, tokens: Any) -> Any:
        queries = self._by_head(self.queries(ops.cast(self.query, self.compute_dtype))[None])  # [1, heads, 1, head]
        keys, values = self._by_head(self.keys(tokens)), self._by_head(self.values(tokens))
        scores = ops.matmul(queries * queries.shape[-1] ** -0.5, ops.transpose(keys, (0, 1, 3, 2)))
        mixed = ops.matmul(ops.softmax(scores, axis=-1), values)
        pooled = self.output_projection(ops.reshape(mixed, (-1, self.width)))
        return pooled + self.contract(self.activation(self.expand(self.norm(pooled))))

    def _by_head(self, rows: Any) -> Any:
        """[batch, n, width] -> [batch, heads, n, head width]."""
        parts = ops.reshape(rows, (-1, ops.shape(rows)[1], self.heads, self.width // self.heads))
        return ops.transpose(parts, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "heads": self.heads, **self.spec}
