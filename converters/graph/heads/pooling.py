"""What stands for the whole picture, and its vector: the graph of `ViT.pooled` and `ViT.vector_of`.

The last norm's gamma and beta are behind the mean over the patches as well as they were in front of it. A vector of
length 1 is what a LayerNorm without a mean makes of it, over the square root of its width: the same ops, in the same
partition; who reads it has that root in its own weights.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.attention_pooling import by_attention, fold_pooling
from converters.graph.heads.head import HeadWeights, Tokens
from converters.graph.norms import front_rows, multiply, normalise
from edgevit.config import ViTConfig
from edgevit.model.heads import LEAST_LENGTH

PROJECTION = "embed/projection"


def pooled(do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> Any:
    """What stands for the picture, without the last norm's gamma and beta: [..., 1, pooled_width]."""
    last = tokens.last
    if config.pool_norm:
        patches = do.view(f"block{config.depth - 1}/tokens", lambda: last[..., config.prefix :, :])
        return normalise(do, "norm", do.compute("averaged", tf.reduce_mean, patches, axis=-2, keepdims=True), config)
    if config.pooling == "class":
        if last.shape[-2] != 1:
            last = do.view(f"block{config.depth - 1}/tokens", front_rows, last, 1)
        return normalise(do, "norm", last, config)
    normed = normalise(do, "norm", last, config)
    patches = normed
    if config.pooled_from:
        patches = do.view("norm/normalised", lambda: normed[..., config.pooled_from :, :])
    if config.pools_by_attention:
        return by_attention(do, config, weights.layers, patches)
    if config.pooling == "mean":
        return do.compute("pooled", tf.reduce_mean, patches, axis=-2, keepdims=True)
    of_class = do.view("norm/normalised", front_rows, normed, 1)
    # Concatenated parts have one range, that of `pooled`.
    mean = do.view("pooled", tf.reduce_mean, patches, axis=-2, keepdims=True)
    return do.compute("pooled", tf.concat, [of_class, mean], axis=-1)


def fold_vector(folding: Folding) -> HeadWeights:
    """What `long_vector` takes: a projection, or the norm's gamma and beta."""
    config = folding.config
    layers, attended = fold_pooling(folding), config.pools_by_attention
    if config.projection:
        name = "embed_head/projection"
        layer = folding.plain(name) if attended else folding.after_norm("norm", name)
        return HeadWeights({**layers, PROJECTION: layer}, {})
    if attended:
        return HeadWeights(layers, {})
    gamma, beta = folding.gamma_beta("norm", config.pooled_width)
    return HeadWeights({}, {"gamma": tf.cast(gamma, tf.float32), "beta": tf.cast(beta, tf.float32)})


def long_vector(do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> Any:
    """The picture's vector, times the square root of its width: [..., 1, vector_width]."""
    read = pooled(do, config, weights, tokens)
    if config.projection:
        vector = do.linear(PROJECTION, multiply, read, weights.layers[PROJECTION])
    elif config.pools_by_attention:
        vector = read
    else:
        gamma, beta = (do.constant(weights.constants[name], own_range=True) for name in ("gamma", "beta"))
        vector = do.compute("embed/shifted", tf.add, do.compute("embed/scaled", tf.multiply, read, gamma), beta)
    return normalise(do, "embed", vector, config, epsilon=LEAST_LENGTH / config.vector_width)
