"""The pre-norm encoder block."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from edgevit.errors import unknown_key
from edgevit.model.attention import ATTENTIONS
from edgevit.model.mlp_activations import FUNCTIONS


@keras.saving.register_keras_serializable("edgevit")
class StochasticDepth(keras.layers.Layer):
    """Drops a residual branch for whole pictures while training (Huang et al. 2016, https://arxiv.org/abs/1603.09382).

    [batch, N, width] -> the same; what is kept is scaled by 1 / (1 - rate), so that inference needs nothing.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def factors(self, batch: Any) -> Any:
        """What each picture's branch is multiplied with while training: [batch, 1, 1], newly drawn."""
        keep = 1.0 - self.rate
        draw = keras.random.uniform((batch, 1, 1), seed=self.seed_generator)
        return ops.floor(draw + keep) / keep

    def call(self, branch: Any, training: bool | None = None, factors: Any = None) -> Any:
        if factors is None:
            if not training or self.rate == 0.0:
                return branch
            factors = self.factors(ops.shape(branch)[0])
        return branch * ops.cast(factors, branch.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable("edgevit")
class EncoderBlock(keras.layers.Layer):
    """x + attention(norm(x)), then x + mlp(norm(x)), with an activation (GELU) between the MLP's two layers.

    [batch, N, width] -> [batch, N, width]. Equations 2 and 3 of Dosovitskiy et al. 2021.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_width: int,
        attention: str = "global",
        epsilon: float = 1e-6,
        stochastic_depth: float = 0.0,
        activation: str = "gelu",
        qk_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise unknown_key("attention", attention, ATTENTIONS)
        self.spec = {
            "width": width,
            "heads": heads,
            "mlp_width": mlp_width,
            "attention": attention,
            "epsilon": epsilon,
            "stochastic_depth": stochastic_depth,
            "activation": activation,
            "qk_norm": qk_norm,
        }
        self.norm1 = keras.layers.LayerNormalization(epsilon=epsilon, name="norm1")
        self.attention = ATTENTIONS[attention](width, heads, qk_norm, epsilon, name="attention")
        self.norm2 = keras.layers.LayerNormalization(epsilon=epsilon, name="norm2")
        self.activation = FUNCTIONS[activation]
        self.expand = keras.layers.Dense(mlp_width, name="expand")
        self.contract = keras.layers.Dense(width, name="contract")
        self.drop1 = StochasticDepth(stochastic_depth, name="drop1")
        self.drop2 = StochasticDepth(stochastic_depth, name="drop2")

    def build(self, input_shape: Any) -> None:
        tokens = (None, None, self.spec["width"])
        for layer in (self.norm1, self.attention, self.norm2, self.expand, self.drop1, self.drop2):
            layer.build(tokens)
        self.contract.build((None, None, self.spec["mlp_width"]))
        self.built = True

    def factors(self, batch: Any) -> Any:
        """Those of stochastic depth, for both branches: [2, batch, 1, 1], newly drawn; ones where it is off."""
        if self.drop1.rate == 0.0:
            return ops.ones((2, batch, 1, 1))
        return ops.stack([self.drop1.factors(batch), self.drop2.factors(batch)])

    def call(
        self,
        tokens: Any,
        training: bool | None = None,
        factors: Any = None,
        causal: bool = False,
        rotation: Any = None,
    ) -> Any:
        """`factors`, where given, are what `factors` drew: a block then draws nothing of its own.

        causal, rotation: of `GlobalAttention`.
        """
        first, second = (None, None) if factors is None else (factors[0], factors[1])
        tokens = tokens + self.drop1(self._attended(tokens, causal, rotation), training=training, factors=first)
        hidden = self.activation(self.expand(self.norm2(tokens)))
        return tokens + self.drop2(self.contract(hidden), training=training, factors=second)

    def _attended(self, tokens: Any, causal: bool, rotation: Any) -> Any:
        asked: dict[str, Any] = {"causal": True} if causal else {}
        if rotation is not None:
            asked["rotation"] = rotation
        return self.attention(self.norm1(tokens), **asked)

    def attention_weights(self, tokens: Any, rotation: Any = None) -> Any:
        """How much each token looks at every other: [batch, heads, N, N]."""
        return self.attention.weights_of(self.norm1(tokens), rotation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.spec}
