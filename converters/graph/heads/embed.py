"""embed: the picture's vector, of length 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.heads.pooling import fold_vector, long_vector
from edgevit.config import ViTConfig
from edgevit.tasks import Embed, Reads


@dataclass(frozen=True)
class EmbedHead(Head):
    task: Embed

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        return fold_vector(folding)

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        longer = long_vector(do, config, weights, tokens)
        vector = do.compute("vector", tf.multiply, longer, config.vector_width**-0.5)
        return {"vector": do.view("vector", tf.reshape, vector, [*(do.lead or (1,)), config.vector_width])}
