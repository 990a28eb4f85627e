"""The activation of an MLP as ops that XNNPACK takes, by the names of `edgevit.model_choices.ACTIVATIONS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from edgevit.model.mlp_activations import QUICK


@dataclass(frozen=True)
class ActivationGraph:
    compute: Callable[[Arithmetic, str, Any], Any]
    """Of an MLP's site and its hidden values, `times` themselves -> what the layer behind reads, `times` too large."""
    times: float = 1.0
    """A factor that `folded` puts into the layer in front, and takes out of the one behind."""


def _gelu(do: Arithmetic, mlp: str, hidden: Any) -> Any:
    return do.compute(f"{mlp}/gelu", tf.nn.gelu, hidden, approximate=False)


def _gelu_tanh(do: Arithmetic, mlp: str, hidden: Any) -> Any:
    return do.compute(f"{mlp}/gelu", tf.nn.gelu, hidden, approximate=True)


def _quick_gelu(do: Arithmetic, mlp: str, hidden: Any) -> Any:
    """With y = 1.702 x: x sigmoid(1.702 x) = y sigmoid(y) / 1.702."""
    gate = do.compute(f"{mlp}/gate", tf.nn.sigmoid, hidden)
    return do.compute(f"{mlp}/gelu", tf.multiply, hidden, gate)


ACTIVATION_GRAPHS = {
    "gelu": ActivationGraph(_gelu),
    "gelu_tanh": ActivationGraph(_gelu_tanh),
    "quick_gelu": ActivationGraph(_quick_gelu, QUICK),
}
