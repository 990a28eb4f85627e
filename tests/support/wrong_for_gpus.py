"""A graph that is right on every CPU and wrong on LiteRT's GPU accelerator: positions added to a matrix of tokens."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack
from converters.graph.tflite_model import op_name, tensor_name


def with_positions_of_rank_2(flatbuffer: bytes) -> bytes:
    """reshape(patches + positions) -> reshape(patches) + positions [N, width], of a float32 graph at its base grid."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    (graph,) = model.subgraphs
    place = next(at for at, each in enumerate(graph.operators) if _adds_positions(model, graph, each))
    add, reshape = graph.operators[place : place + 2]
    assert op_name(model.operatorCodes[reshape.opcodeIndex]) == "RESHAPE"
    (patches,) = [each for each in add.inputs if not _is_constant(model, graph, each)]
    (positions,) = [each for each in add.inputs if _is_constant(model, graph, each)]
    (matrix,) = reshape.outputs
    shape = list(graph.tensors[matrix].shape)
    graph.tensors[positions].shape = shape
    graph.tensors.append(
        schema.TensorT(name="patches/matrix", shape=shape, type=schema.TensorType.FLOAT32, hasRank=True)
    )
    before = len(graph.tensors) - 1
    reshape.inputs, reshape.outputs = [patches, reshape.inputs[1]], [before]
    add.inputs, add.outputs = [before, positions], [matrix]
    graph.operators[place : place + 2] = [reshape, add]
    return pack(model)


def _adds_positions(model: Any, graph: Any, operator: Any) -> bool:
    named = [tensor_name(graph.tensors[each]) for each in operator.inputs if _is_constant(model, graph, each)]
    return op_name(model.operatorCodes[operator.opcodeIndex]) == "ADD" and named == ["added_positions"]


def _is_constant(model: Any, graph: Any, tensor: int) -> bool:
    data = model.buffers[graph.tensors[tensor].buffer].data
    return data is not None and len(data) > 0
