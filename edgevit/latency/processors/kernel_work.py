"""An operator of a graph as work: which kernel computes it, and how much of what that kernel's time grows with.

A kernel is known by its operator and by the types of what it reads: XNNPACK has a program for each such pair. Its work
is counted in a few units, each of which costs a kernel its own number of cycles (`kernel_rates`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, prod

from edgevit.latency.processors.graph_operators import GraphOperator
from edgevit_runtime.verify.graph_cost import size_bytes

__all__ = ["PRODUCTS", "UNITS", "KernelWork", "costs_nothing", "kernel_of", "work_of"]

KernelWork = dict[str, float]
"""Unit -> how many of it."""

UNITS = {
    "macs": "multiply-accumulates, of whole tiles",
    "outputs": "numbers that a product puts out: scaled, given their bias, stored",
    "inputs": "numbers that a product's rows hold: packed, where the kernel quantizes them, too",
    "weights": "numbers of the second factor: read once a call at least, packed where they are no constants",
    "elements": "numbers that an operator goes through, the more of what it reads and what it writes",
    "rows": "stretches of these that lie one behind the other",
    "bytes": "that are copied from one place to another",
    "calls": "of the kernel",
}
"""What each unit counts."""
PRODUCTS = ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D")
_COPIES = ("SPLIT", "STRIDED_SLICE", "CONCATENATION", "PAD")
_IN_PLACE = ("RESHAPE", "SQUEEZE")
_WINDOWS = ("DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESIZE_BILINEAR")


def costs_nothing(operator: GraphOperator) -> bool:
    """Whether an inference does nothing for it: numbers stay where they are, or weights that become float once."""
    return operator.name in _IN_PLACE or (operator.name == "DEQUANTIZE" and operator.constant)


def kernel_of(operator: GraphOperator) -> str:
    """The kernel's name, such as `FULLY_CONNECTED float32 int8`: the operator and what it reads, no axes and shapes."""
    read = [each for each in operator.inputs if each is not None and not (each.constant and each.dtype == "int32")]
    words = [operator.name, *(each.dtype for each in read[: 2 if operator.name in PRODUCTS else 1])]
    if operator.name in ("QUANTIZE", "DEQUANTIZE", "CAST"):
        words.append(operator.outputs[0].dtype)
    if operator.name in _FORMS:
        words += _FORMS[operator.name](operator)
    return " ".join(words)


def work_of(operator: GraphOperator, tile: tuple[int, int] = (1, 1)) -> KernelWork:
    """How much of each unit the operator is. tile: rows and columns that its kernel computes at once: products compute
    whole tiles."""
    if operator.name in PRODUCTS:
        return _product(operator, tile)
    result = operator.outputs[0]
    if operator.name in _COPIES:
        moved = sum(map(size_bytes, operator.outputs))
        return {"bytes": moved, "rows": _rows(result.shape) * len(operator.outputs), "calls": 1}
    read = [each for each in operator.inputs if each is not None and each.dtype != "int32"]
    if operator.name in _WINDOWS:
        elements = prod(result.shape)
        window = prod(read[1].shape[1:3]) if operator.name == "DEPTHWISE_CONV_2D" else _window(operator)
        return {"macs": elements * window, "elements": elements, "calls": 1}
    elements = max(prod(each.shape) for each in (*read, *operator.outputs))
    longest = max((each.shape for each in (*read, *operator.outputs)), key=prod)
    return {"elements": elements, "rows": _rows(longest), "calls": 1}


def _product(operator: GraphOperator, tile: tuple[int, int]) -> KernelWork:
    """[batch, rows, inner] by [batch, inner, columns]."""
    first, second = operator.inputs[0], operator.inputs[1]
    assert first is not None
    assert second is not None
    result = operator.outputs[0].shape
    columns = result[-1]
    if operator.name == "BATCH_MATMUL":
        inner = first.shape[-2 if operator.options.get("adjoint_x") else -1]
        batch, rows = prod(result[:-2]), result[-2]
    else:  # weights are [columns, inner], of a convolution [columns, height, width, inner]
        inner, batch, rows = prod(second.shape[1:]), 1, prod(result[:-1])
    computed = rows if rows == 1 else ceil(rows / tile[0]) * tile[0]  # a lone row has a kernel of its own
    whole = computed * ceil(columns / tile[1]) * tile[1]
    return {
        "macs": batch * whole * inner,
        "outputs": batch * rows * columns,
        "inputs": batch * rows * inner,
        "weights": prod(second.shape),
        "calls": 1,
    }


def _rows(shape: tuple[int, ...]) -> int:
    return prod(shape[:-1])


def _window(operator: GraphOperator) -> int:
    """Numbers that a pool reads for one; of a resize 4, as it is bilinear."""
    if operator.name == "RESIZE_BILINEAR":
        return 4
    return int(operator.options.get("filter_width", 1) * operator.options.get("filter_height", 1))


def _transposed(operator: GraphOperator) -> tuple[str, ...]:
    """Whether the last axis stays where it is: then whole rows are copied."""
    order = operator.inputs[1]
    assert order is not None
    values = order.values or ()
    return ("rows stay",) if values and values[-1] == len(values) - 1 else ("rows turn",)


def _broadcast(operator: GraphOperator) -> tuple[str, ...]:
    """Whether one number of the second factor serves a row, or each has its own."""
    shapes = [each.shape for each in operator.inputs if each is not None]
    longest = max(shapes, key=prod)
    lasts = {shape[-1] if shape else 1 for shape in shapes}
    if all(prod(shape) == prod(longest) for shape in shapes):
        return ("alike",)
    return (
        ("one number",)
        if any(prod(shape) == 1 for shape in shapes)
        else ("by rows",)
        if len(lasts) > 1
        else ("by columns",)
    )


def _adjoint(operator: GraphOperator) -> tuple[str, ...]:
    return ("second turned",) if operator.options.get("adjoint_y") else ()


def _reduced(operator: GraphOperator) -> tuple[str, ...]:
    """Whether a mean, a sum or a largest is taken along rows or across them."""
    return ("along rows",) if operator.outputs[0].shape[-1:] != operator.inputs[0].shape[-1:] else ("across rows",)  # type: ignore[union-attr]


_FORMS: dict[str, Callable[[GraphOperator], tuple[str, ...]]] = {
    "TRANSPOSE": _transposed,
    "ADD": _broadcast,
    "SUB": _broadcast,
    "MUL": _broadcast,
    "SQUARED_DIFFERENCE": _broadcast,
    "BATCH_MATMUL": _adjoint,
    "MEAN": _reduced,
    "SUM": _reduced,
    "REDUCE_MAX": _reduced,
}
"""Operators whose kernels have several ways of working, and which one an operator is."""
