"""Which processors run a graph whole, as far as its file tells, and which op stands in the way of each.

What a GPU of a device does, its self-test tells (`edgevit_runtime.engines.gpu_trial`); here is what is known of
LiteRT's accelerator anywhere: benchmarks/gpu_ops.py tries each op of ours on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from converters.graph.gpu_faults import gpu_faults
from converters.graph.tflite_model import names_of, op_name

_FLOATS = {"FLOAT32", "FLOAT16"}
_INDICES = {"INT32", "INT64", "BOOL"}
_XNNPACK = {
    *("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "ADD", "SUB", "MUL", "RESHAPE", "TRANSPOSE"),
    *("SLICE", "STRIDED_SLICE", "CONCATENATION", "SPLIT", "MEAN", "SUM", "REDUCE_MAX", "PAD", "MAX_POOL_2D"),
    *("AVERAGE_POOL_2D", "RESIZE_BILINEAR", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "LOGISTIC", "TANH", "QUANTIZE"),
    *("DEQUANTIZE", "BATCH_MATMUL", "SOFTMAX", "GELU", "RSQRT", "SQRT", "EXP", "SQUARED_DIFFERENCE", "NEG"),
    *("HARD_SWISH", "RELU", "RELU6", "SQUEEZE", "CAST"),
}
"""What XNNPACK takes through LiteRT 2.3's delegate. CAST of the pixels alone stands in front of its partition."""
_XNNPACK_FLOAT = {"SOFTMAX", "GELU", "RSQRT", "SQRT", "EXP"}
_GPU = {
    *("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE", "CAST", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D"),
    *("FULLY_CONNECTED", "BATCH_MATMUL", "RESHAPE", "TRANSPOSE", "SPLIT", "STRIDED_SLICE", "SLICE", "MEAN"),
    *("SOFTMAX", "GELU", "RSQRT", "LOGISTIC", "TANH", "RELU", "RELU6", "HARD_SWISH", "NEG", "PAD"),
    *("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR", "QUANTIZE", "DEQUANTIZE", "SQUEEZE"),
}
"""What LiteRT 2.3's GPU accelerator takes and computes rightly: benchmarks/results/gpu_ops.json."""
_NPU = {
    *("ADD", "SUB", "MUL", "CONCATENATION", "CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "RESHAPE", "TRANSPOSE"),
    *("SPLIT", "STRIDED_SLICE", "MEAN", "SOFTMAX", "GELU", "RSQRT", "QUANTIZE"),
}
"""What Arm's Vela compiles for Ethos-U NPUs, integer all through: benchmarks/results/vela.json, `int8-full`."""


class RunningOn(NamedTuple):
    """Whether a processor runs a graph whole; otherwise the first op that it does not take, and why."""

    processor: str
    whole: bool
    in_the_way: str | None


def running_on(model: Any, subgraph: Any, partitions: int) -> tuple[RunningOn, ...]:
    """Of a subgraph of a `schema.ModelT`: on the CPU (by XNNPACK), a GPU (LiteRT's accelerator) and an NPU (Vela).

    partitions: into how many XNNPACK divided it when it was audited.
    """
    in_the_cpus_way = (
        None if partitions == 1 else _first(model, subgraph, _not_by_xnnpack) or f"{partitions} partitions"
    )
    return tuple(
        RunningOn(processor, reason is None, reason)
        for processor, reason in (
            ("cpu", in_the_cpus_way),
            ("gpu", _first(model, subgraph, _not_on_gpus) or _wrong_on_gpus(model, subgraph)),
            ("npu", _first(model, subgraph, _not_on_npus)),
        )
    )


class _Operator(NamedTuple):
    op: str
    types: tuple[str, ...]
    """Of its inputs and outputs, indices left out."""
    constants: tuple[bool, ...]
    """Which inputs are constants."""
    shapes: tuple[tuple[int, ...], ...]
    """Of its inputs."""


def _operators(model: Any, subgraph: Any) -> Iterator[_Operator]:
    kinds = names_of(schema.TensorType)
    for each in subgraph.operators:
        inputs = [subgraph.tensors[index] for index in each.inputs if index >= 0]
        outputs = [subgraph.tensors[index] for index in each.outputs]
        data = [model.buffers[tensor.buffer].data for tensor in inputs]
        yield _Operator(
            op_name(model.operatorCodes[each.opcodeIndex]),
            tuple(kind for tensor in (*inputs, *outputs) if (kind := kinds[tensor.type]) not in _INDICES),
            tuple(content is not None and len(content) > 0 for content in data),
            tuple(() if tensor.shape is None else tuple(map(int, tensor.shape)) for tensor in inputs),
        )


def _first(model: Any, subgraph: Any, why: Callable[[_Operator], str | None]) -> str | None:
    return next((reason for each in _operators(model, subgraph) if (reason := why(each))), None)


def _not_by_xnnpack(each: _Operator) -> str | None:
    integers = [kind for kind in each.types if kind not in _FLOATS]
    if "INT16" in each.types or (each.op in _XNNPACK_FLOAT and integers):
        return f"{each.op} on {'INT16' if 'INT16' in each.types else integers[0]}"
    return None if each.op in _XNNPACK else each.op


def _not_on_gpus(each: _Operator) -> str | None:
    for kind in ("INT16", "INT4"):
        if kind in each.types:
            return f"{each.op} on {kind}"
    if each.op not in _GPU:
        return each.op
    if each.op == "DEQUANTIZE":  # of a weight
        return None
    if all(each.constants):
        return f"{each.op} of constants alone"
    if each.op == "BATCH_MATMUL" and each.constants[0]:
        return "BATCH_MATMUL with a constant on the left"
    return None


def _wrong_on_gpus(model: Any, subgraph: Any) -> str | None:
    return next((f"{fault}, which it computes wrongly" for fault, _ in gpu_faults(model, subgraph)), None)


def _not_on_npus(each: _Operator) -> str | None:
    floats = [kind for kind in each.types if kind in _FLOATS]
    if each.op == "CAST":  # of pixels: what reads them says more
        return None
    if floats and each.op != "DEQUANTIZE":
        return f"{each.op} on {floats[0]}"
    return None if each.op in _NPU else each.op
