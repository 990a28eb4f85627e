"""Learned positions that the graph resamples, under a quantizer: exact ranges, and a table of 16 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack
from converters.graph.positions import POSITIONS
from converters.graph.tflite_model import tensor_name
from converters.quantize.activations import TensorRanges
from converters.quantize.fake_rounding import INT16
from edgevit_runtime.engines.quiet import quiet


def ranges_of(flatbuffer: bytes) -> TensorRanges:
    """Of what resamples positions in a float32 flatbuffer: exact, for no picture has a part in it; so it runs once.

    Not of constants: of a weight with a range the quantizer makes one scale, and kernels want one for each channel.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    tensors = model.subgraphs[0].tensors
    names = {tensor_name(tensor) for tensor in tensors if model.buffers[tensor.buffer].data is None}
    if not any(name.startswith(f"{POSITIONS}/") for name in names):
        return {}
    with quiet():
        interpreter = Interpreter(
            model_content=flatbuffer,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        (image,) = interpreter.get_input_details()
        interpreter.set_tensor(image["index"], np.zeros(image["shape"], image["dtype"]))
        interpreter.invoke()
        found = {
            detail["name"]: np.asarray(interpreter.get_tensor(detail["index"]))
            for detail in interpreter.get_tensor_details()
            if detail["name"] in names and detail["name"].startswith(f"{POSITIONS}/") and detail["dtype"] is np.float32
        }
    return {
        name: {"min": np.min(values, keepdims=True), "max": np.max(values, keepdims=True)}
        for name, values in found.items()
    }


def widened(quantized: bytes, flatbuffer: bytes) -> bytes:
    """`quantized` with the table of `flatbuffer`, which it was made of, in int16 for int16 linear layers.

    ai-edge-quantizer takes a constant for a weight, and gives it 8 bits.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(quantized))
    table = _table(model)
    if table is None or table.type != schema.TensorType.INT8:
        return quantized
    plain = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    values = np.frombuffer(bytes(plain.buffers[_table(plain).buffer].data), np.float32)
    scale = max(float(np.abs(values).max()), 1e-9) / INT16
    integers = np.round(values / scale).astype(np.int16)
    table.type, table.buffer = schema.TensorType.INT16, len(model.buffers)
    table.quantization = schema.QuantizationParametersT(scale=[scale], zeroPoint=[0])
    model.buffers.append(schema.BufferT(data=np.frombuffer(integers.tobytes(), np.uint8)))
    return pack(model)


def _table(model: Any) -> Any:
    return next((each for each in model.subgraphs[0].tensors if tensor_name(each) == POSITIONS), None)
