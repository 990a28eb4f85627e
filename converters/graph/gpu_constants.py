"""Constants that GPUs compute with wrongly, and how they compute rightly.

LiteRT's GPU accelerator (2.3.0) takes the first of two or three dimensions for a batch, of which a constant has one,
and says "fully accelerated": `[196, 192] + constant [196, 192]` comes out wrong, with dimensions of 1 in front it is
right. So it is for each op in `ELEMENTWISE` that was tried (ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, SQUARED_DIFFERENCE,
GREATER); constants of one row, or of fewer dimensions than the other operand has, are right.
`tests/converters/test_gpu.py` holds this against the accelerator itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack
from converters.graph.tflite_model import op_name, tensor_name

ARITHMETIC = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD")
COMPARISONS = ("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL")
ELEMENTWISE = {*ARITHMETIC, *COMPARISONS}
"""Ops of two operands, number by number."""
PLANE = 4
"""Dimensions that are taken rightly."""


class FaultyConstant(NamedTuple):
    """An operand, by its place, of an operator of a subgraph."""

    op: str
    operator: Any
    place: int
    shape: tuple[int, ...]


def faulty_constants(model: Any, subgraph: Any) -> Iterator[FaultyConstant]:
    """Those of a `schema.ModelT` that GPUs compute with wrongly."""
    for operator in subgraph.operators:
        op = op_name(model.operatorCodes[operator.opcodeIndex])
        if op not in ELEMENTWISE:
            continue
        shapes = [_shape(subgraph.tensors[index]) for index in operator.inputs]
        for place, (index, shape) in enumerate(zip(operator.inputs, shapes, strict=True)):
            if not _is_constant(model, subgraph.tensors[index]):
                continue
            if 2 <= len(shape) < PLANE and shape[0] > 1 and len(shape) >= len(shapes[1 - place]):
                yield FaultyConstant(op, operator, place, shape)


def for_gpus(flatbuffer: bytes) -> bytes:
    """A flatbuffer with one subgraph, in which such an operator works on planes, a RESHAPE before and behind it."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    (subgraph,) = model.subgraphs
    found = list(faulty_constants(model, subgraph))
    for fault in found:
        _on_planes(model, subgraph, fault)
    return pack(model) if found else flatbuffer


def _on_planes(model: Any, subgraph: Any, fault: FaultyConstant) -> None:
    """x op constant -> reshape(reshape(x) op constant as a plane)."""
    operator = fault.operator
    (result,) = operator.outputs
    other = operator.inputs[1 - fault.place]
    constant = _like(subgraph, operator.inputs[fault.place], "plane", buffer=True)
    operator.inputs = [constant, constant]
    operator.inputs[1 - fault.place] = plane = _like(subgraph, other, "plane")
    operator.outputs = [_like(subgraph, result, "plane")]
    place = next(index for index, each in enumerate(subgraph.operators) if each is operator)
    before, behind = _reshape(model, subgraph, other, plane), _reshape(model, subgraph, operator.outputs[0], result)
    subgraph.operators[place : place + 1] = [before, operator, behind]


def _like(subgraph: Any, index: int, suffix: str, *, buffer: bool = False) -> int:
    """A tensor as the one at `index`, with dimensions of 1 in front up to `PLANE`."""
    of = subgraph.tensors[index]
    shape = _shape(of)
    made = schema.TensorT(
        name=f"{tensor_name(of)}/{suffix}",
        shape=[*[1] * (PLANE - len(shape)), *shape],
        type=of.type,
        buffer=of.buffer if buffer else 0,
        quantization=of.quantization,
        hasRank=of.hasRank,
    )
    subgraph.tensors.append(made)
    return len(subgraph.tensors) - 1


def _reshape(model: Any, subgraph: Any, before: int, behind: int) -> Any:
    shape = np.asarray(_shape(subgraph.tensors[behind]), np.int32)
    model.buffers.append(schema.BufferT(data=np.frombuffer(shape.tobytes(), np.uint8)))
    wanted = schema.TensorT(
        name=f"{tensor_name(subgraph.tensors[behind])}/shape",
        shape=[len(shape)],
        type=schema.TensorType.INT32,
        buffer=len(model.buffers) - 1,
    )
    subgraph.tensors.append(wanted)
    return schema.OperatorT(
        opcodeIndex=_reshape_code(model),
        inputs=[before, len(subgraph.tensors) - 1],
        outputs=[behind],
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=schema.ReshapeOptionsT(newShape=shape.tolist()),
    )


def _reshape_code(model: Any) -> int:
    for index, code in enumerate(model.operatorCodes):
        if op_name(code) == "RESHAPE":
            return index
    number = schema.BuiltinOperator.RESHAPE
    model.operatorCodes.append(schema.OperatorCodeT(deprecatedBuiltinCode=number, builtinCode=number, version=1))
    return len(model.operatorCodes) - 1


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(map(int, tensor.shape))


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0
