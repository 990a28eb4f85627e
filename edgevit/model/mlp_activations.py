"""What stands between the two layers of an MLP, by the names of `edgevit.model_choices.ACTIVATIONS`."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

from keras import ops

QUICK = 1.702
"""The factor of quick GELU's sigmoid (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415, section 2)."""


@ops.custom_gradient  # type: ignore[untyped-decorator]
def gelu(values: Any) -> Any:
    """The exact GELU, x Φ(x) (Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415).

    Its gradient needs x alone; what TensorFlow would derive keeps five tensors of that size for it, in each block.
    """

    def gradient(upstream: Any) -> Any:
        density = ops.exp(-0.5 * ops.square(values)) * (2.0 * pi) ** -0.5
        return upstream * (_normal_share(values) + values * density)

    return values * _normal_share(values), gradient


def _normal_share(values: Any) -> Any:
    """Φ, the share of a normal distribution below each value."""
    return 0.5 * (1.0 + ops.erf(values * 2.0**-0.5))


def gelu_tanh(values: Any) -> Any:
    """GELU by way of tanh, 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
    return ops.gelu(values, approximate=True)


def quick_gelu(values: Any) -> Any:
    """x σ(1.702 x)."""
    return values * ops.sigmoid(QUICK * values)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {"gelu": gelu, "gelu_tanh": gelu_tanh, "quick_gelu": quick_gelu}
"""By name."""
