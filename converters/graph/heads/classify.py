"""classify: a linear layer on what stands for the picture, behind the last norm, or on the picture's vector.

With a distillation token it reads both tokens side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.attention_pooling import fold_pooling
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.heads.pooling import fold_vector, long_vector, pooled
from converters.graph.norms import front_rows, multiply, normalise
from edgevit.config import ViTConfig
from edgevit.tasks import Classify, Reads

ACTIVATIONS = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}


@dataclass(frozen=True)
class ClassifyHead(Head):
    task: Classify

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        config = folding.config
        if config.cosine_scale:  # it reads a vector that is longer by the root of its width
            vector = fold_vector(folding)
            scale = config.cosine_scale * config.vector_width**-0.5
            return HeadWeights({**vector.layers, "logits": folding.cosines("head/linear", scale)}, vector.constants)
        if config.pools_by_attention:
            return HeadWeights({**fold_pooling(folding), "logits": folding.plain("head/linear")}, {})
        # Two heads whose logits are averaged are one layer, [classes, prefix * width], over both tokens side by side.
        names = ["head/linear", "distillation_head/linear"][: config.classifiers]
        return HeadWeights({"logits": folding.after_norm("norm", *names, scale=1.0 / config.classifiers)}, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        if config.cosine_scale:
            read = long_vector(do, config, weights, tokens)
        elif config.distilled:
            read = self._both_tokens(do, config, tokens)
        else:
            read = pooled(do, config, weights, tokens)
        logits = do.linear("logits", multiply, read, weights.layers["logits"])
        activation = ACTIVATIONS.get(self.task.scores)
        scores = logits if activation is None else do.compute("scores", activation, logits)
        return {"scores": scores, "logits": logits} if self.task.logits else {"scores": scores}

    @staticmethod
    def _both_tokens(do: Arithmetic, config: ViTConfig, tokens: Tokens) -> Any:
        """A distilled model's two, behind the last norm and side by side: [..., 1, prefix * width]."""
        front = tokens.last
        if front.shape[-2] != config.front_read:
            front = do.view(f"block{config.depth - 1}/tokens", front_rows, front, config.front_read)
        read = normalise(do, "norm", front, config)
        return do.view("norm/normalised", tf.reshape, read, [*do.lead, 1, config.front_read * config.width])
