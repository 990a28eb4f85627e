"""How the lowered graph computes, apart from what it computes: plainly here, rounded in `fake_quantization`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Linear:
    """y = x Wᵀ + b: weight [out, in] as FULLY_CONNECTED stores it ([out, P, P, 3] as CONV_2D does), bias [out]."""

    weight: Any
    bias: Any


class Arithmetic:
    """How `graph` computes: here in plain float32, with constant weights, one picture at a time."""

    lead: tuple[int, ...] = ()
    """The dimensions before [n, width]: none here, -1 for a batch."""

    def weight(self, values: Any) -> Any:
        """A linear layer's weight, output channels first."""
        return np.asarray(values)

    def constant(self, values: Any, *, own_range: bool = False, read_at: str = "tokens") -> Any:
        """Any other number of the model. `own_range`: an operand by itself, not a bias or a part of another tensor, of
        the op that puts out a site: `read_at`, where that does not compute as the stream does."""
        return values if tf.is_symbolic_tensor(values) else np.asarray(values)

    def result(self, site: str, values: Any) -> Any:
        """What the ops at `site` came to."""
        return values

    def compute(self, site: str, op: Callable[..., Any], *operands: Any, **options: Any) -> Any:
        """op(*operands), under the site's name."""
        return self.result(site, self.view(site, op, *operands, **options))

    def view(self, site: str, op: Callable[..., Any], *operands: Any, **options: Any) -> Any:
        """The same for an op that shares the site's range: it moves the site's numbers, or makes a part of them."""
        with tf.name_scope(f"{site}/"):  # the slash: the same scope every time, not `site_1`
            return op(*operands, **options)

    def linear(
        self,
        site: str,
        product: Callable[[Any, Any], Any],
        inputs: Any,
        layer: Linear,
        rows: slice = slice(None),
    ) -> Any:
        """product(inputs, weight) + bias: one FULLY_CONNECTED or CONV_2D, or those `rows` of its outputs."""
        weight, bias = self.weight(layer.weight)[rows], self.constant(layer.bias)[rows]
        return self.compute(site, lambda: product(inputs, weight) + bias)
