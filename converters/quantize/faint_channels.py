"""Output channels whose weights are nothing, or next to nothing: pruned ones, and those behind a LayerScale of zero.

ai-edge-quantizer gives each channel the scale that its own weights ask for. Of faint ones it is so small that integer
kernels have no factor for it, or that the bias, in steps of it, overflows; and as int4 it is 0. A larger scale costs
nothing that the layer's output could show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from converters.graph.packing import pack
from converters.graph.tflite_model import op_name, tensor_name
from converters.quantize.fake_rounding import BLOCK, SMALLEST_INT4_SCALE

LINEAR = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
LEAST_FACTOR = 2.0**-30
"""From a step of the accumulator to one of the output; XNNPACK takes 2^-32 and more. 127 x 127 x 2^-30 of a step: what
the roundings of a faint channel can add up to for each input."""
MOST_STEPS = 2.0**30
"""Of a bias: half of what int32 holds."""


def with_larger_scales(quantized: bytes, flatbuffer: bytes) -> bytes:
    """`quantized`, its faint channels at scales that kernels take. flatbuffer: the float32 one that it was made of."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(quantized))
    (subgraph,) = model.subgraphs
    changed = [_int4(model, subgraph, each) for each in subgraph.tensors if each.type == schema.TensorType.INT4]
    biases = _Biases(flatbuffer)
    sharing: dict[int, list[Any]] = {}  # by their weight: a head computes a layer at several sizes of a map
    for operator in subgraph.operators:
        if op_name(model.operatorCodes[operator.opcodeIndex]) in LINEAR:
            sharing.setdefault(operator.inputs[1], []).append(operator)
    changed += [_integer(model, subgraph, operators, biases) for operators in sharing.values()]
    return pack(model) if any(changed) else quantized


class _Biases:
    """The biases of a float32 flatbuffer by name, read where one is asked for."""

    def __init__(self, flatbuffer: bytes) -> None:
        self._flatbuffer, self._found = flatbuffer, dict[str, NDArray[np.float32]]()

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        if not self._found:
            model = flatbuffer_utils.read_model_from_bytearray(bytearray(self._flatbuffer))
            for tensor in model.subgraphs[0].tensors:
                data = model.buffers[tensor.buffer].data
                if data is not None and tensor.type == schema.TensorType.FLOAT32:
                    self._found[tensor_name(tensor)] = np.frombuffer(bytes(data), np.float32)
        # Of a bias that several ops add, the quantizer makes copies.
        return self._found[name.partition("_duplicated")[0]]


def _int4(model: Any, subgraph: Any, weight: Any) -> bool:
    """Blocks whose scale float16 has no number for."""
    scales = model.buffers[subgraph.tensors[weight.quantization.details.scales].buffer]
    values = np.frombuffer(bytes(scales.data), np.float16)
    faint = values == 0
    if not faint.any():
        return False
    scales.data = np.where(faint, np.float16(SMALLEST_INT4_SCALE), values).view(np.uint8)
    numbers = model.buffers[weight.buffer]
    pairs = np.frombuffer(bytes(numbers.data), np.uint8).reshape(-1, BLOCK // 2)
    numbers.data = np.where(faint[:, None], np.uint8(0), pairs).ravel()
    return True


def _integer(model: Any, subgraph: Any, operators: Sequence[Any], biases: _Biases) -> bool:
    """Channels of the int8 weights that operators share, where what goes in and out is integer, too."""
    weight = subgraph.tensors[operators[0].inputs[1]]
    reading = [each for each in operators if _is_integer(subgraph, each)]
    if weight.type != schema.TensorType.INT8 or not reading:
        return False
    scales = np.asarray(weight.quantization.scale, np.float64)
    least = np.max([_least_scales(subgraph, each, scales, biases) for each in reading], axis=0)
    faint = scales < least
    if not faint.any():
        return False
    larger = np.where(faint, least, scales)
    axis = int(weight.quantization.quantizedDimension)
    shape = [1] * len(weight.shape)
    shape[axis] = -1
    held = np.frombuffer(bytes(model.buffers[weight.buffer].data), np.int8).reshape(tuple(weight.shape))
    integers = np.round(held * np.reshape(scales / larger, shape)).astype(np.int8)
    _store(model, weight, integers, larger)
    for operator in reading:
        bias, step = _bias_of(subgraph, operator), _step(subgraph, operator.inputs[0])
        if bias is not None:
            kind = np.int64 if bias.type == schema.TensorType.INT64 else np.int32
            exact = biases[tensor_name(bias)].astype(np.float64)
            _store(model, bias, np.round(exact / (step * larger)).astype(kind), step * larger)
    return True


def _is_integer(subgraph: Any, operator: Any) -> bool:
    ends = subgraph.tensors[operator.inputs[0]].type, subgraph.tensors[operator.outputs[0]].type
    return schema.TensorType.FLOAT32 not in ends


def _least_scales(subgraph: Any, operator: Any, scales: NDArray[np.float64], biases: _Biases) -> NDArray[np.float64]:
    """[channels]: what an operator asks of the scales of its weight."""
    step, bias = _step(subgraph, operator.inputs[0]), _bias_of(subgraph, operator)
    least = np.full_like(scales, LEAST_FACTOR * _step(subgraph, operator.outputs[0]) / step)
    if bias is not None and bias.type == schema.TensorType.INT32:
        least = np.maximum(least, np.abs(biases[tensor_name(bias)].astype(np.float64)) / (step * MOST_STEPS))
    return least


def _bias_of(subgraph: Any, operator: Any) -> Any:
    inputs = [index for index in operator.inputs if index >= 0]
    return subgraph.tensors[inputs[2]] if len(inputs) > 2 else None


def _step(subgraph: Any, tensor: int) -> float:
    return float(subgraph.tensors[tensor].quantization.scale[0])


def _store(model: Any, tensor: Any, integers: NDArray[Any], scales: NDArray[np.float64]) -> None:
    tensor.quantization.scale = scales.astype(np.float32)
    model.buffers[tensor.buffer].data = np.frombuffer(integers.tobytes(), np.uint8)
