"""The steps that every part of the lowered graph is made of: products, rows of the tokens in front, and the norm."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from edgevit.config import ViTConfig


def convolve(lines: Any, weight: Any) -> Any:
    """[b, H, W/P, 3 P] and [width, P, 1, 3 P] -> [b, H/P, W/P, width]: each patch by itself."""
    return tf.nn.conv2d(lines, tf.transpose(weight, [1, 2, 3, 0]), [weight.shape[1], 1], "VALID")


def multiply(tokens: Any, weight: Any) -> Any:
    """[..., n, in] -> [..., n, out]."""
    return tf.matmul(tokens, weight, transpose_b=True)


def put_in_front(first: Any, tokens: Any) -> Any:
    """[prefix, width] and [..., n, width] -> [..., prefix + n, width]."""
    if len(tokens.shape) == 3:
        first = tf.tile(first[None], [tf.shape(tokens)[0], 1, 1])
    return tf.concat([first, tokens], axis=-2)


def front_rows(tokens: Any, prefix: int) -> Any:
    """[..., n, width] -> [..., prefix, width]."""
    return tokens[:prefix] if len(tokens.shape) == 2 else tokens[:, :prefix]


def normalise(
    do: Arithmetic, site: str, tokens: Any, config: ViTConfig, factor: Any = None, epsilon: float | None = None
) -> Any:
    """LayerNorm without mean, gamma and beta, which `folding` put elsewhere: [..., n, width] -> [..., n, width].

    factor: [width], where `equalization` put one. epsilon: None: that of the model's norms.
    """
    epsilon = config.layer_norm_epsilon if epsilon is None else epsilon
    squares = do.compute(f"{site}/squares", tf.multiply, tokens, tokens)
    variance = do.compute(f"{site}/variance", tf.reduce_mean, squares, axis=-1, keepdims=True)
    variance = do.compute(f"{site}/stabilised", tf.add, variance, epsilon)
    scale = do.compute(f"{site}/scale", tf.math.rsqrt, variance)
    if factor is not None:  # before the scale: TFLite's converter would put a last constant back into the next layer
        tokens = do.compute(f"{site}/scaled", tf.multiply, tokens, do.constant(factor, own_range=True))
    return do.compute(f"{site}/normalised", tf.multiply, tokens, scale)
