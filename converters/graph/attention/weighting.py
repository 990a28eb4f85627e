"""What the products of queries and keys become, and what they do with the values: two ways to the same numbers.

`softmax`  weights that sum to one in each row, then the weighted sum of the values.
`powers`   e to the power of each product less the largest of its row, the sum of the values by those, and only then the
           division by their total. So a row's largest weight is 1 in every row, however many tokens share its
           attention: one int8 step of 1/255 serves all rows, where that of shares would lose what many tokens share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic

__all__ = ["WEIGHTINGS", "Weighting"]

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
    total = do.compute(f"{site}/total", tf.reduce_sum, powers, axis=-1, keepdims=True)
    # A row's total is 1 or more. By RSQRT, because a division of [n, head width] costs several multiplications.
    root = do.compute(f"{site}/root", tf.math.rsqrt, total)
    inverse = do.compute(f"{site}/inverse", tf.multiply, root, root)
    weighed = do.compute(f"{site}/weighed", tf.matmul, powers, values)
    mixed = do.compute(f"{site}/mixed", tf.multiply, weighed, inverse)
    # Only who asks for attention itself has them computed.
    return mixed, do.view(f"{site}/weights", tf.multiply, powers, inverse)


WEIGHTINGS: dict[str, Weighting] = {"softmax": softmax, "powers": powers}
