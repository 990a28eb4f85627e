"""Every token looks at every token: the O(N²) of a ViT.

Heads are the batch of two matrix products. Splitting by head or by query is slower in XNNPACK, which then packs the
keys again for each product.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.attention.weighting import Weighting
from converters.graph.folded import Block
from converters.graph.norms import front_rows, multiply, normalise
from edgevit.config import ViTConfig
from edgevit.model.rotary import Rotation


def global_attention(
    do: Arithmetic,
    name: str,
    tokens: Any,
    block: Block,
    config: ViTConfig,
    rotation: Rotation | None,
    front_only: bool,
    weighting: Weighting,
) -> tuple[Any, Any]:
    """[N, width] -> [N, width], or the rows in front alone: [prefix, width]; and the weights [heads, n, N].

    rotation: `Folded.rotation`. The tokens in front stand still: their queries alone are taken as they are.
    """
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
        keys = keys if rotation is None else _rotated(do, site, keys, rotation)
    elif rotation is not None:
        every = do.view(f"{site}/qkv", by_head, do.linear(f"{site}/qkv", multiply, tokens, block.qkv), 3)
        turning, values = do.view(f"{site}/qkv", _cut, every, 2 * heads)
        turned = _rotated(do, site, turning, rotation)
        queries, keys = do.view(f"{site}/rotated", lambda: tf.split(turned, 2, axis=first))
    else:
        every = do.linear(f"{site}/qkv", multiply, tokens, block.qkv)
        queries, keys, values = do.view(f"{site}/qkv", lambda: tf.split(by_head(every, 3), 3, axis=first))
    if block.query_gain is not None:
        queries, keys = _normalised(do, site, queries, keys, block.query_gain, config)
    products = do.compute(f"{site}/products", tf.matmul, queries, keys, transpose_b=True)
    mixed, weights = weighting(do, site, products, values)
    return do.view(f"{site}/mixed", rows, mixed), weights


def _cut(every: Any, count: int) -> tuple[Any, Any]:
    """The first `count` of [..., heads, N, head width], and the others: XNNPACK's SPLIT makes equal parts alone."""
    return every[..., :count, :, :], every[..., count:, :, :]


def _rotated(do: Arithmetic, site: str, heads: Any, rotation: Rotation) -> Any:
    """[..., N, head width], turned: x cos + (the other half) sin, whose sign the sines hold for the first half.

    Cosines and sines are matrices where `heads` has three dimensions or four: GPUs take those rightly
    (`gpu_constants`).
    """
    cosines, sines = (
        do.constant(each, own_range=True, read_at=f"{site}/{name}")
        for each, name in zip(rotation, ("turned", "crossed"), strict=True)
    )
    other = do.view(f"{site}/qkv", lambda: tf.concat(tf.split(heads, 2, axis=-1)[::-1], axis=-1))
    kept = do.compute(f"{site}/turned", tf.multiply, heads, cosines)
    crossed = do.compute(f"{site}/crossed", tf.multiply, other, sines)
    return do.compute(f"{site}/rotated", tf.add, kept, crossed)


def _normalised(
    do: Arithmetic, site: str, queries: Any, keys: Any, gain: tuple[Any, Any], config: ViTConfig
) -> tuple[Any, Any]:
    """Queries and keys, [heads, n, head width], each token's by itself, and what `Folding.query_gain` says."""
    factor, offset = gain
    queries = normalise(do, f"{site}/query_norm", queries, config, factor)
    queries = do.compute(f"{site}/query_norm/shifted", tf.add, queries, do.constant(offset, own_range=True))
    return queries, normalise(do, f"{site}/key_norm", keys, config)
