"""classify: the last norm and a linear layer on the class token; with a distillation token, on both side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
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
        # Two heads whose logits are averaged are one layer, [classes, prefix * width], over both tokens side by side.
        prefix = folding.config.prefix
        names = ["head/linear", "distillation_head/linear"][:prefix]
        return HeadWeights({"logits": folding.after_norm("norm", *names, scale=1.0 / prefix)}, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        stream = f"block{config.depth - 1}/tokens"
        front = tokens.last
        if front.shape[-2] != config.prefix:
            front = do.view(stream, front_rows, front, config.prefix)
        read = normalise(do, "norm", front, config)
        read = do.view("norm/normalised", tf.reshape, read, [*do.lead, 1, config.prefix * config.width])
        logits = do.linear("logits", multiply, read, weights.layers["logits"])
        activation = ACTIVATIONS.get(self.task.scores)
        scores = logits if activation is None else do.compute("scores", activation, logits)
        return {"scores": scores, "logits": logits} if self.task.logits else {"scores": scores}
