"""Attention pooling, the graph of `edgevit.model.attention_pooling`: one learned query over the tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from converters.graph.activation_graphs import ACTIVATION_GRAPHS
from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folding import Folding
from converters.graph.norms import multiply, normalise
from edgevit.config import ViTConfig


def fold_pooling(folding: Folding) -> dict[str, Linear]:
    """The linear layers of attention pooling, whose query is no input: what it asks of the keys is one number a token
    for each head, [heads, width]; what it would add to all tokens alike, its softmax does not see."""
    config = folding.config
    if not config.pools_by_attention:
        return {}
    by_head = [config.pooling_heads, config.width // config.pooling_heads]
    query = tf.matmul(folding.get("pool/query"), folding.get("pool/queries/kernel")) + folding.get("pool/queries/bias")
    keys = tf.reshape(folding.get("pool/keys/kernel"), [config.width, *by_head])
    asked = tf.einsum("dhk,hk->hd", keys, tf.reshape(query, by_head)) * by_head[1] ** -0.5
    asked = asked * folding.get("norm/gamma")
    times = ACTIVATION_GRAPHS[config.activation].times
    return {
        "pool/keys": Linear(tf.cast(asked, tf.float32), tf.zeros([config.pooling_heads])),
        "pool/values": folding.after_norm("norm", "pool/values"),
        "pool/output": folding.plain("pool/output"),
        "pool/expand": folding.after_norm("pool/norm", "pool/expand", scale=times),
        "pool/contract": folding.plain("pool/contract", times),
    }


def by_attention(do: Arithmetic, config: ViTConfig, layers: Mapping[str, Linear], patches: Any) -> Any:
    """Tokens [..., n, width] behind the norm -> [..., 1, width] (`edgevit.model.attention_pooling`).

    Each head mixes the tokens before it takes their values, for a head's share of the weights sums to 1: that is as
    many rows as there are heads, where values of all tokens would be n.
    """
    heads = config.pooling_heads
    keys = do.linear("pool/keys", multiply, patches, layers["pool/keys"])
    keys = do.view("pool/keys", tf.linalg.matrix_transpose, keys)
    mixed = do.compute("pool/mixed", tf.matmul, do.compute("pool/weights", tf.nn.softmax, keys), patches)
    mixed = do.view("pool/mixed", tf.reshape, mixed, [*(do.lead or [1]), 1, heads, config.width])
    values = do.linear("pool/values", _multiply, mixed, layers["pool/values"])
    # Of four dimensions, for GPUs (`gpu_constants`). Of as many rows as heads one is not zero, and as many times too
    # large: their mean is an op that all runtimes know.
    own = heads * np.repeat(np.eye(heads, dtype=np.float32), config.width // heads, axis=1)[None, None]
    own = do.compute("pool/own", tf.multiply, values, do.constant(own, own_range=True))
    read = do.compute("pool/gathered", tf.reduce_mean, own, axis=2)
    read = do.view("pool/gathered", tf.reshape, read, [*do.lead, 1, config.width])
    read = do.linear("pool/output", multiply, read, layers["pool/output"])
    mean = do.compute("pool/averaged", tf.reduce_mean, read, axis=-1, keepdims=True)
    normed = normalise(do, "pool/norm", do.compute("pool/deviations", tf.subtract, read, mean), config)
    hidden = do.linear("pool/expand", multiply, normed, layers["pool/expand"])
    hidden = ACTIVATION_GRAPHS[config.activation].compute(do, "pool", hidden)
    return do.compute("pool/added", tf.add, read, do.linear("pool/contract", multiply, hidden, layers["pool/contract"]))


def _multiply(rows: Any, weight: Any) -> Any:
    """`multiply` of [b, 1, n, in]. Of several pictures without the 1: TensorFlow's product of four dimensions with a
    matrix writes where it may not (2.21 with oneDNN, from four rows on), and the process ends."""
    return multiply(rows, weight) if rows.shape[0] == 1 else multiply(rows[:, 0], weight)[:, None]
