"""Every token looks at every token: the O(N²) of a ViT.

Heads are the batch of two matrix products. Splitting by head or by query is slower in XNNPACK, which then packs the
keys again for each product.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folded import Block
from converters.graph.norms import front_rows, multiply, normalise
from edgevit.config import ViTConfig


def global_attention(
    do: Arithmetic, name: str, tokens: Any, block: Block, config: ViTConfig, front_only: bool
) -> tuple[Any, Any]:
    """[N, width] -> [N, width], or the rows in front alone: [prefix, width]; and the weights [heads, n, N]."""
    site, heads, head_width, width = f"{name}/attention", config.heads, config.head_width, config.width
    first = len(do.lead)
    swap = [*range(first), first + 1, first, first + 2]

    def by_head(rows: Any, count: int) -> Any:  # [n, count * width] -> [count * heads, n, head_width]
        return tf.transpose(tf.reshape(rows, [*do.lead, rows.shape[-2], count * heads, head_width]), swap)

    def rows(heads: Any) -> Any:  # [heads, n, head_width] -> [n, width]
        return tf.reshape(tf.transpose(heads, swap), [*do.lead, heads.shape[-2], width])

    if front_only:
        front = do.view(f"{name}/norm1/normalised", front_rows, tokens, config.front_read)
        queries = do.linear(f"{site}/queries", multiply, front, block.qkv, slice(width))
        queries = do.view(f"{site}/queries", by_head, queries, 1)
        others = do.linear(f"{site}/qkv", multiply, tokens, block.qkv, slice(width, None))
        keys, values = do.view(f"{site}/qkv", lambda: tf.split(by_head(others, 2), 2, axis=first))
    else:
        every = do.linear(f"{site}/qkv", multiply, tokens, block.qkv)
        queries, keys, values = do.view(f"{site}/qkv", lambda: tf.split(by_head(every, 3), 3, axis=first))
    if block.query_gain is not None:
        queries, keys = _normalised(do, site, queries, keys, block.query_gain, config)
    products = do.compute(f"{site}/products", tf.matmul, queries, keys, transpose_b=True)
    weights = do.compute(f"{site}/weights", tf.nn.softmax, products)
    mixed = do.view(f"{site}/mixed", rows, do.compute(f"{site}/mixed", tf.matmul, weights, values))
    return mixed, weights


def _normalised(
    do: Arithmetic, site: str, queries: Any, keys: Any, gain: tuple[Any, Any], config: ViTConfig
) -> tuple[Any, Any]:
    """Queries and keys, [heads, n, head width], each token's by itself, and what `Folding.query_gain` says."""
    factor, offset = gain
    queries = normalise(do, f"{site}/query_norm", queries, config, factor)
    queries = do.compute(f"{site}/query_norm/shifted", tf.add, queries, do.constant(offset, own_range=True))
    return queries, normalise(do, f"{site}/key_norm", keys, config)
