"""A tensor as an operator sees it."""

from __future__ import annotations

from typing import NamedTuple

Shape = tuple[int, ...]
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-64, 2.0**64
"""Kernels multiply scales in float32, which must not become 0 or infinite."""


class TensorScales:
    """A tensor's scales, all positive and finite, along `axis` where there are several, and as many zero points.

    Equal only to itself: what tensors share is one object.
    """

    __slots__ = ("axis", "high", "low", "scales", "zero_points")

    def __init__(self, scales: tuple[float, ...], zero_points: tuple[int, ...], axis: int) -> None:
        self.scales, self.zero_points, self.axis = scales, zero_points, axis
        self.low, self.high = min(scales), max(scales)


class Operand(NamedTuple):
    """`values` are a small constant's integers. `blocks`: whether these are int4 weights with scales by blocks. `zero`:
    whether it is the constant 0.0."""

    shape: Shape
    dtype: str
    values: tuple[int, ...] | None = None
    constant: bool = False
    quantized: TensorScales | None = None
    blocks: bool = False
    zero: bool = False
