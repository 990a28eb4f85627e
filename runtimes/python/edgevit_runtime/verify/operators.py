"""What each operator of an artefact may look like: its options, its inputs, and the shape that it must give.

Native kernels take much of this on trust and read or write out of bounds where a file lies. So the shape of every
tensor is worked out again here, from the inputs on, and a file that says otherwise is refused. An operator that is not
in `OPS` is refused too: no recipe emits it. Codes: BuiltinOperator and BuiltinOptions in
tensorflow/lite/schema/schema.fbs; what each computes: https://www.tensorflow.org/mlir/tfl_ops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edgevit_runtime.verify import window_shapes
from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.operand import Operand, Shape

FLOAT, HALF, INT32, UINT8 = "float32", "float16", "int32", "uint8"
INT4, INT8, INT16, INT64 = "int4", "int8", "int16", "int64"
ACTIVATIONS = (0, 1, 3)  # none, RELU, RELU6


class Op(NamedTuple):
    """An operator: its options' code and table, how many inputs it takes, and its rule.

    rule: (inputs, options) -> the shape of each output. Raises `DamagedError`.
    """

    name: str
    options_type: int
    options: str
    inputs: int
    rule: Callable[[Sequence[Operand | None], dict[str, Any]], list[Shape]]
    dtypes: tuple[tuple[str, ...], ...]
    """The types that go together: inputs (the last one for all that follow), then the output's."""


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise DamagedError(what)


def _ints(operand: Operand | None, what: str) -> tuple[int, ...]:
    if operand is None or operand.values is None:
        raise DamagedError(f"{what} are no constants")
    return operand.values


def _axis(axis: int, rank: int) -> int:
    _demand(-rank <= axis < rank, f"axis {axis} of {rank}")
    return axis % rank


def _same(inputs: Sequence[Any], _: dict[str, Any]) -> list[Shape]:
    return [inputs[0].shape]


def _broadcast(inputs: Sequence[Any], _: dict[str, Any]) -> list[Shape]:
    left, right = inputs[0].shape, inputs[1].shape
    rank = max(len(left), len(right))
    _demand(rank <= 5, "elementwise of more than 5 dimensions")
    result = []
    for a, b in zip((1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right):
        _demand(a == b or 1 in (a, b), f"elementwise of {list(left)} and {list(right)}")
        result.append(max(a, b))
    return [tuple(result)]


def _batch_matmul(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    left, right = inputs[0].shape, inputs[1].shape
    # One matrix on the left may meet each of several on the right: positions are resampled so.
    _demand(2 <= len(left) <= len(right) <= 5 and len(left) in (2, len(right)), "a product's ranks")
    rows, inner = left[-2:] if not options.get("adjoint_x") else left[:-3:-1]
    inner_right, columns = right[-2:] if not options.get("adjoint_y") else right[:-3:-1]
    _demand(inner == inner_right and left[:-2] in ((), right[:-2]), f"a product of {list(left)} and {list(right)}")
    return [(*right[:-2], rows, columns)]


def _fully_connected(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    shape, weights, bias = inputs[0].shape, inputs[1].shape, inputs[2]
    _demand(not options.get("format"), "shuffled weights")
    _demand(len(weights) == 2 and len(shape) >= 1, "a linear layer's ranks")
    _demand(bias is None or bias.shape == weights[:1], "a bias of another length")
    # Without keep_dims, all but the last axis become one; native code also folds what divides evenly: not allowed here.
    _demand(shape[-1] == weights[1], f"a linear layer of {list(weights)} on {list(shape)}")
    rows = shape[:-1] if options.get("keep_dims") else (math.prod(shape[:-1]),)
    return [(*rows, weights[0])]


def _concatenation(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    first = inputs[0].shape
    axis = _axis(options.get("axis", 0), len(first))
    for each in inputs[1:]:
        _demand(
            len(each.shape) == len(first)
            and each.shape[:axis] + each.shape[axis + 1 :] == first[:axis] + first[axis + 1 :],
            "a concatenation of other shapes",
        )
    return [(*first[:axis], sum(each.shape[axis] for each in inputs), *first[axis + 1 :])]


def _reduced(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    shape = inputs[0].shape
    axes = {_axis(axis, len(shape)) for axis in _ints(inputs[1], "axes")}
    if options.get("keep_dims"):
        return [tuple(1 if index in axes else size for index, size in enumerate(shape))]
    return [tuple(size for index, size in enumerate(shape) if index not in axes)]


def _reshape(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    shape = _ints(inputs[1], "the new shape") if len(inputs) > 1 else tuple(options.get("shape", ()))
    count = math.prod(inputs[0].shape)
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        _demand(known > 0 and count % known == 0, f"{count} values as {list(shape)}")
        shape = tuple(count // known if size == -1 else size for size in shape)
    _demand(all(size >= 1 for size in shape) and math.prod(shape) == count, f"{count} values as {list(shape)}")
    return [shape]


def _split(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    axes, shape, count = _ints(inputs[0], "the axis"), inputs[1].shape, options.get("count", 0)
    _demand(len(axes) == 1, "more than one axis")
    axis = _axis(axes[0], len(shape))
    _demand(count >= 1 and shape[axis] % count == 0, f"{shape[axis]} in {count} parts")
    return [(*shape[:axis], shape[axis] // count, *shape[axis + 1 :])] * count


def _strided_slice(inputs: Sequence[Any], options: dict[str, Any]) -> list[Shape]:
    shape = inputs[0].shape
    begin, end, strides = (_ints(each, "a slice's ends") for each in inputs[1:4])
    _demand(len(begin) == len(end) == len(strides) == len(shape), "a slice of another rank")
    _demand(
        not (options.get("ellipsis_mask") or options.get("new_axis_mask") or options.get("offset")), "a slice's masks"
    )
    result = []
    for axis, size in enumerate(shape):
        bit = 1 << axis
        start = None if options.get("begin_mask", 0) & bit else begin[axis]
        stop = None if options.get("end_mask", 0) & bit else end[axis]
        _demand(1 <= strides[axis] <= size, f"a slice's step of {strides[axis]}")
        if options.get("shrink_mask", 0) & bit:
            at = 0 if start is None else start
            _demand(-size <= at < size, f"item {at} of {size}")
            continue
        count = len(range(size)[start : stop : strides[axis]])
        _demand(count >= 1, "an empty slice")
        result.append(count)
    return [tuple(result)]


def _transpose(inputs: Sequence[Any], _: dict[str, Any]) -> list[Shape]:
    shape, order = inputs[0].shape, _ints(inputs[1], "the order of axes")
    _demand(sorted(order) == list(range(len(shape))), f"axes {list(order)} of {len(shape)}")
    return [tuple(shape[axis] for axis in order)]


_FLOATS = ((FLOAT, FLOAT),)
_REAL = (*_FLOATS, (INT8, INT8))
_LINEAR = (
    (FLOAT, FLOAT, FLOAT, FLOAT),
    (FLOAT, INT8, FLOAT, FLOAT),
    (INT8, INT8, INT32, INT8),
    (INT16, INT8, INT64, INT16),
)
_BLOCKWISE = (*_LINEAR, (FLOAT, INT4, FLOAT, FLOAT))
_WIDE = (*_REAL, (INT16, INT16))  # the residual stream and the norms of `int8-full`; islands of a custom recipe
_WITH_INTS = ((FLOAT, INT32, FLOAT), (INT8, INT32, INT8), (INT16, INT32, INT16))

_REQUANTIZED = (
    (FLOAT, INT8),
    (FLOAT, INT16),
    (UINT8, INT8),
    (INT8, INT8),
    (INT8, INT16),
    (INT16, INT8),
    (INT16, INT16),
)

_BYTES = _LINEAR[:3]  # no recipe makes depthwise convolutions of int16

# BuiltinOperator -> what it is
OPS: dict[int, Op] = {
    0: Op("ADD", 11, "Fused", 2, _broadcast, _WIDE),
    1: Op("AVERAGE_POOL_2D", 5, "Pool2D", 1, window_shapes.pool, _REAL),
    2: Op("CONCATENATION", 10, "Concatenation", 0, _concatenation, _WIDE),
    3: Op("CONV_2D", 1, "Conv2D", 3, window_shapes.conv, _LINEAR),
    4: Op("DEPTHWISE_CONV_2D", 2, "DepthwiseConv2D", 3, window_shapes.depthwise_conv, _BYTES),
    6: Op("DEQUANTIZE", 38, "None", 1, _same, ((INT8, FLOAT), (INT16, FLOAT), (HALF, FLOAT))),
    9: Op("FULLY_CONNECTED", 8, "FullyConnected", 3, _fully_connected, _BLOCKWISE),
    14: Op("LOGISTIC", 0, "None", 1, _same, _REAL),
    17: Op("MAX_POOL_2D", 5, "Pool2D", 1, window_shapes.pool, _REAL),
    18: Op("MUL", 21, "Fused", 2, _broadcast, _WIDE),
    19: Op("RELU", 0, "None", 1, _same, _REAL),
    21: Op("RELU6", 0, "None", 1, _same, _REAL),
    22: Op("RESHAPE", 17, "Reshape", 2, _reshape, _WITH_INTS),
    23: Op("RESIZE_BILINEAR", 15, "ResizeBilinear", 2, window_shapes.resize, _WITH_INTS[:2]),
    25: Op("SOFTMAX", 9, "Softmax", 1, _same, _WIDE),
    28: Op("TANH", 0, "None", 1, _same, _REAL),
    34: Op("PAD", 22, "None", 2, window_shapes.pad, _WITH_INTS[:2]),
    39: Op("TRANSPOSE", 26, "None", 2, _transpose, _WITH_INTS),
    40: Op("MEAN", 27, "Reduce", 2, _reduced, _WITH_INTS),
    41: Op("SUB", 28, "Fused", 2, _broadcast, _WIDE),
    43: Op("SQUEEZE", 30, "Squeeze", 1, window_shapes.squeeze, _REAL),
    45: Op("STRIDED_SLICE", 32, "StridedSlice", 4, _strided_slice, _WITH_INTS),
    47: Op("EXP", 33, "None", 1, _same, _FLOATS),
    49: Op("SPLIT", 35, "Split", 2, _split, ((INT32, FLOAT, FLOAT), (INT32, INT8, INT8), (INT32, INT16, INT16))),
    53: Op("CAST", 37, "Cast", 1, _same, ((UINT8, FLOAT), (INT8, FLOAT))),
    59: Op("NEG", 42, "None", 1, _same, _REAL),
    74: Op("SUM", 27, "Reduce", 2, _reduced, _WITH_INTS[:1]),
    76: Op("RSQRT", 0, "None", 1, _same, _WIDE),
    82: Op("REDUCE_MAX", 27, "Reduce", 2, _reduced, _WITH_INTS[:2]),
    99: Op("SQUARED_DIFFERENCE", 76, "None", 2, _broadcast, _REAL),
    114: Op("QUANTIZE", 89, "None", 1, _same, _REQUANTIZED),
    117: Op("HARD_SWISH", 91, "None", 1, _same, _REAL),
    126: Op("BATCH_MATMUL", 101, "BatchMatMul", 2, _batch_matmul, _WIDE),
    150: Op("GELU", 116, "Gelu", 1, _same, _WIDE),
}  # fmt: skip
