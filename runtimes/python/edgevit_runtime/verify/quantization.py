"""How each operand of an operator is quantized: as kernels take it on trust, and end the process where it is not so.

    PLAIN     axes, orders, shapes, pixels as they come: no scale
    VALUES    uint8, int8, int16: exactly one scale, and a zero point that the type can hold (of int16: 0)
    Weights   int8: a scale for each output channel, along the one axis where kernels look for them, zero points 0;
              int4: scales by blocks
    BIAS      int32, int64: as many scales as the weights, each that of the values times theirs; zero points 0

Where an operand is float32 or float16 it has no scale, whatever its place. Which types go together is in `operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.operand import Operand, TensorScales

ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0)}
"""Kernels look values up in tables by their distance from the zero point, and take int16 to be symmetric."""
BIAS_TOLERANCE = 1e-3
"""How far a bias's scale may be from the product of the other two, of which it is rounded."""


class Weights(NamedTuple):
    axis: int


PLAIN, VALUES, BIAS = "plain", "values", "bias"
Place = Union[str, Weights]

OWN, SAME = "own", "same"
"""What an operator puts out has a scale of its own, or that of what it takes: it only moves numbers."""
Fixed = dict[str, "tuple[float, int]"]
"""By dtype, the scale and zero point that kernels assume."""


class OperandRules(NamedTuple):
    """inputs: the places in order; the last one stands for all that follow."""

    inputs: tuple[Place, ...]
    result: str | Fixed = OWN


_ONE, _TWO = OperandRules((VALUES,)), OperandRules((VALUES, VALUES))
_MOVED = OperandRules((VALUES, PLAIN), SAME)
_LINEAR = OperandRules((VALUES, Weights(0), BIAS))

OPERANDS: dict[str, OperandRules] = {
    "ADD": _TWO,
    "AVERAGE_POOL_2D": OperandRules((VALUES,), SAME),
    "BATCH_MATMUL": _TWO,
    "CAST": OperandRules((PLAIN,)),
    "CONCATENATION": OperandRules((VALUES,), SAME),
    "CONV_2D": _LINEAR,
    "DEPTHWISE_CONV_2D": OperandRules((VALUES, Weights(3), BIAS)),
    "DEQUANTIZE": _ONE,
    "EXP": _ONE,
    "FULLY_CONNECTED": _LINEAR,
    "GELU": _ONE,
    "HARD_SWISH": _ONE,
    "LOGISTIC": OperandRules((VALUES,), {"int8": (2.0**-8, -128)}),
    "MAX_POOL_2D": OperandRules((VALUES,), SAME),
    "MEAN": OperandRules((VALUES, PLAIN)),
    "MUL": _TWO,
    "NEG": OperandRules((VALUES,), SAME),
    "PAD": _MOVED,
    "QUANTIZE": _ONE,
    "REDUCE_MAX": _MOVED,
    "RELU": _ONE,
    "RELU6": _ONE,
    "RESHAPE": _MOVED,
    "RESIZE_BILINEAR": _MOVED,
    "RSQRT": _ONE,
    "SOFTMAX": OperandRules((VALUES,), {"int8": (2.0**-8, -128), "int16": (2.0**-15, 0)}),
    "SPLIT": OperandRules((PLAIN, VALUES), SAME),
    "SQUARED_DIFFERENCE": _TWO,
    "SQUEEZE": OperandRules((VALUES,), SAME),
    "STRIDED_SLICE": _MOVED,
    "SUB": _TWO,
    "SUM": OperandRules((VALUES, PLAIN)),
    "TANH": OperandRules((VALUES,), {"int8": (2.0**-7, 0)}),
    "TRANSPOSE": _MOVED,
}
"""Sources: Prepare of each kernel in tensorflow/lite/kernels, and the quantization specification at
https://ai.google.dev/edge/litert/models/quantization_spec."""


def check_quantization(
    name: str, inputs: Sequence[Operand | None], outputs: Sequence[Operand], options: dict[str, Any]
) -> None:
    """Whether an operator's operands are quantized as its kernels take them to be. Raises `DamagedError`."""
    row = OPERANDS[name]
    for place, operand in enumerate(inputs):
        if operand is not None:
            _check_place(row.inputs[min(place, len(row.inputs) - 1)], operand, inputs)
    for output in outputs:
        _check_place(VALUES, output, inputs)
        if output.quantized is None:
            continue
        if row.result == SAME:
            _check_same(name, inputs, output.quantized)
        elif not isinstance(row.result, str) and output.dtype in row.result:
            scale, zero_point = row.result[output.dtype]
            if (output.quantized.scales[0], output.quantized.zero_points[0]) != (scale, zero_point):
                raise DamagedError(f"a scale that is not {scale}, or a zero point that is not {zero_point}")
    ratio = INTEGER_SCALES.get(name)
    if ratio is not None and outputs[0].quantized is not None:
        scales = [(each.quantized.low, each.quantized.high) for each in inputs[:2] if each and each.quantized]
        if not ratio(scales, (outputs[0].quantized.low, outputs[0].quantized.high), outputs[0].dtype, options):
            raise DamagedError("scales too far apart")


def _check_place(place: Place, operand: Operand, inputs: Sequence[Operand | None]) -> None:
    found = operand.quantized
    if operand.dtype.startswith("float") or place == PLAIN:
        if found is not None:
            raise DamagedError(f"scales for {operand.dtype}, which has none")
        return
    if operand.dtype == "int4":
        if not operand.blocks or not isinstance(place, Weights):
            raise DamagedError("int4 weights without scales by blocks")
        return
    if found is None:
        raise DamagedError(f"{operand.dtype} without a scale")
    if place == VALUES:
        if len(found.scales) != 1:
            raise DamagedError(f"{len(found.scales)} scales for one tensor of {operand.dtype}")
        lowest, highest = ZERO_POINTS.get(operand.dtype, (0, 0))
        if not lowest <= found.zero_points[0] <= highest:
            raise DamagedError("a zero point out of range")
        return
    if any(found.zero_points):
        raise DamagedError("a zero point out of range")
    if isinstance(place, Weights):
        wanted = operand.shape[place.axis]
        if len(found.scales) != wanted or (wanted > 1 and found.axis != place.axis):
            raise DamagedError(f"{len(found.scales)} scales along axis {found.axis} for {wanted} channels")
        return
    _check_bias(found, inputs)


def _check_bias(bias: TensorScales, inputs: Sequence[Operand | None]) -> None:
    values, weights = inputs[0], inputs[1]
    if values is None or weights is None or values.quantized is None or weights.quantized is None:
        raise DamagedError("a bias with scales, and nothing else with them")
    if len(bias.scales) != len(weights.quantized.scales):
        raise DamagedError(f"{len(bias.scales)} scales of a bias, {len(weights.quantized.scales)} of its weights")
    step = values.quantized.scales[0]
    for found, weight in zip(bias.scales, weights.quantized.scales):
        if abs(found - step * weight) > BIAS_TOLERANCE * step * weight:
            raise DamagedError("a bias whose scale is not that of its layer")


def _check_same(name: str, inputs: Sequence[Operand | None], output: TensorScales) -> None:
    moved = inputs if name == "CONCATENATION" else inputs[1:] if name == "SPLIT" else inputs[:1]
    for each in moved:
        found = None if each is None else each.quantized
        if found is None or found is output:
            continue
        if (found.scales, found.zero_points) != (output.scales, output.zero_points):
            raise DamagedError("other scales where numbers are only moved")


Scales = tuple[float, float]
"""The smallest and the largest scale of a tensor."""


def _softmax_scales(inputs: Sequence[Scales], _: Scales, _dtype: str, options: dict[str, Any]) -> bool:
    return inputs[0][0] * float(options.get("beta", 0.0)) > 2.0**-26


def _sum_scales(inputs: Sequence[Scales], output: Scales, _dtype: str, _: dict[str, Any]) -> bool:
    return 2.0 * max(high for _, high in inputs) < 2.0**15 * output[0]  # of int8: 2^20


def _product_scales(inputs: Sequence[Scales], output: Scales, dtype: str, _: dict[str, Any]) -> bool:
    (left, right), factor = inputs[0], inputs[1] if len(inputs) > 1 else (1.0, 1.0)
    # XNNPACK asks for the lower bound, and takes no int16: there a channel of nothing but zeros rounds to zero.
    least = 0.0 if dtype == "int16" else 2.0**-32 * output[0]
    return left * factor[0] >= least and right * factor[1] < 2.0**8 * output[0]


INTEGER_SCALES: dict[str, Callable[[Sequence[Scales], Scales, str, dict[str, Any]], bool]] = {
    "ADD": _sum_scales,
    "BATCH_MATMUL": _product_scales,
    "CONV_2D": _product_scales,
    "DEPTHWISE_CONV_2D": _product_scales,
    "FULLY_CONNECTED": _product_scales,
    "HARD_SWISH": _product_scales,
    "MEAN": _product_scales,
    "MUL": _product_scales,
    "RELU": _product_scales,
    "RELU6": _product_scales,
    "SOFTMAX": _softmax_scales,
    "SQUARED_DIFFERENCE": _sum_scales,
    "SUB": _sum_scales,
}
"""What integer kernels ask of the ratio of scales. Where it fails, TFLite's end the process (QuantizeMultiplier*
in tensorflow/lite/kernels/internal/quantization_util.cc), and XNNPACK's refuse, upon which LiteRT 2.3 frees twice."""
