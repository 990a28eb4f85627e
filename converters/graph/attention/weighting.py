"""What the products of queries and keys become, and what they do with the values: two ways to the same numbers.

`softmax`  weights that sum to one in each row, then the weighted sum of the values.
`powers`   e to the power of each product less the largest of its row, the sum of the values by those, and only then the
           division by their total. So a row's largest weight is 1 in every row, however many tokens share its
           attention: one int8 step of 1/255 serves all rows, where that of shares would lose what many tokens share.

A row's powers add up to anything from 1 to N, of which 255 equal steps would tell small totals from each other badly.
So the total is taken span by span: how far it goes from 1 to r, from r to r² and so on, up to N, each 0 to 6. That is
one linear layer, whose RELU6 ends each span, and its outputs are few: nobody brings [n, N] to floats to add it up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.norms import multiply

__all__ = ["WEIGHTINGS", "Weighting"]

SPANS = 16
"""As many outputs as int8 kernels compute at once: fewer would save nothing."""

Weighting = Callable[[Arithmetic, str, Any, Any], tuple[Any, Any]]
"""(do, the attention's site, products [..., n, N], values [..., N, head width]) -> the weighted sum [..., n, head
width], and the weights [..., n, N]."""


def softmax(do: Arithmetic, site: str, products: Any, values: Any) -> tuple[Any, Any]:
    weights = do.compute(f"{site}/weights", tf.nn.softmax, products)
    return do.compute(f"{site}/mixed", tf.matmul, weights, values), weights


def powers(do: Arithmetic, site: str, products: Any, values: Any) -> tuple[Any, Any]:
    top = do.view(f"{site}/top", tf.reduce_max, products, axis=-1, keepdims=True)
    below = do.compute(f"{site}/below", tf.subtract, products, top)
    powers = do.compute(f"{site}/powers", tf.exp, below)
    layer, widths = _spans(powers.shape[-1])
    spans = do.view(f"{site}/spans", tf.nn.relu6, do.linear(f"{site}/spans", multiply, powers, layer))
    widths = do.constant(widths, own_range=True, read_at=f"{site}/parts")
    parts = do.compute(f"{site}/parts", tf.multiply, spans, widths)
    total = do.compute(f"{site}/total", tf.reduce_sum, parts, axis=-1, keepdims=True)
    # A row's total is 1 or more. By RSQRT, because a division of [n, head width] costs several multiplications.
    root = do.compute(f"{site}/root", tf.math.rsqrt, total)
    inverse = do.compute(f"{site}/inverse", tf.multiply, root, root)
    weighed = do.compute(f"{site}/weighed", tf.matmul, powers, values)
    mixed = do.compute(f"{site}/mixed", tf.multiply, weighed, inverse)
    # Only who asks for attention itself has them computed.
    return mixed, do.view(f"{site}/weights", tf.multiply, powers, inverse)


def _spans(tokens: int) -> tuple[Linear, Any]:
    """What gives how far a total of powers goes through each of `SPANS` spans between 0, 1 and `tokens`, 0 to 6.

    And a sixth of each span's width, [SPANS], by which these sum to the total.
    """
    ends = np.concatenate([[0.0], np.geomspace(1.0, max(tokens, 2), SPANS)])
    widths = np.diff(ends) / 6.0
    weight = np.tile(1.0 / widths[:, None], (1, tokens))
    return Linear(weight.astype(np.float32), (-ends[:-1] / widths).astype(np.float32)), widths.astype(np.float32)


WEIGHTINGS: dict[str, Weighting] = {"softmax": softmax, "powers": powers}
