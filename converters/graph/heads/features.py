"""features: tokens as they are, behind the last norm or as the residual stream has them; and the class token's look.

The stream's mean over channels was folded away, since norms do not see it. Who reads the stream itself gets it back:
`lowering` carries it along, one number a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.norms import normalise
from edgevit.config import ViTConfig
from edgevit.tasks import Features, Reads


@dataclass(frozen=True)
class FeaturesHead(Head):
    task: Features

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        gamma, beta = folding.numbers("norm/gamma"), folding.numbers("norm/beta")
        return HeadWeights({}, {"gamma": gamma, "beta": beta} if self.task.normed else {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        rows, columns = tokens.grid
        found: dict[str, Any] = {}
        for layer, stream in (*tokens.after.items(), (config.depth, tokens.last)):
            if layer not in (*self.task.layers, config.depth):
                continue
            last = layer == config.depth
            suffix = "" if last else f"_{layer}"
            # The last block's norm is the one that a classifier reads, at the same site.
            site = "norm" if last else f"norm_{layer}"
            if self.task.normed:
                values = normalise(do, site, stream, config)
                values = do.compute(
                    f"{site}/scaled_by_gamma", tf.multiply, values, do.constant(weights.constants["gamma"])
                )
                values = do.compute(f"{site}/features", tf.add, values, do.constant(weights.constants["beta"]))
            else:
                values = do.compute(f"{site}/features", tf.add, stream, tokens.means[layer])
            of_class, patches = do.view(f"{site}/features", self._parts, values, config.prefix)
            if config.class_token:
                found[f"class_token{suffix}"] = do.view(
                    f"{site}/features", tf.reshape, of_class, [*self._batch(do), config.width]
                )
            found[f"patch_tokens{suffix}"] = do.view(
                f"{site}/features", tf.reshape, patches, [*self._batch(do), rows, columns, config.width]
            )
            if last:
                found["patch_mean"] = do.compute(
                    "patch_mean",
                    tf.reduce_mean,
                    tf.reshape(patches, [*self._batch(do), rows * columns, config.width]),
                    axis=1,
                )
        if self.task.attention:
            look = do.view("look", lambda: tokens.attention[..., :1, config.prefix :])
            found["attention"] = do.view("look", tf.reshape, look, [*self._batch(do), config.heads, rows, columns])
        return found

    @staticmethod
    def _batch(do: Arithmetic) -> tuple[int, ...]:
        return do.lead or (1,)

    @staticmethod
    def _parts(values: Any, prefix: int) -> tuple[Any, Any]:
        """[..., N, width] -> the class token [..., 1, width] and the patch tokens [..., N - prefix, width]."""
        return values[..., :1, :], values[..., prefix:, :]
