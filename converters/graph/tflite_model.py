"""A TFLite model as ai-edge-litert reads it, `schema.ModelT`: what its parts are called, and inputs made constants."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from converters.graph.packing import pack

INPUT_NAME = "image"
"""What every graph of ours calls the picture."""


def tensor_name(tensor: Any) -> str:
    """As text, of one that was read from a file or made here."""
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)


def op_name(code: Any) -> str:
    """`FULLY_CONNECTED` of an operator code."""
    if code.customCode:
        return str(code.customCode)
    return names_of(schema.BuiltinOperator)[flatbuffer_utils.get_builtin_code_from_operator_code(code)]


@cache
def names_of(enum: Any) -> dict[int, str]:
    """Of one of the schema's enumerations: number -> name."""
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


def set_inputs(flatbuffer: bytes, constants: Mapping[str, NDArray[Any]]) -> bytes:
    """A flatbuffer with one subgraph, whose inputs of these names have become constants."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    inputs = {tensor_name(subgraph.tensors[index]): index for index in subgraph.inputs}
    for name, values in constants.items():
        subgraph.tensors[inputs[name]].buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
    subgraph.inputs = [index for name, index in inputs.items() if name not in constants]
    model.signatureDefs = []  # of the inputs as they were
    return pack(model)
