"""The classifier by cosines within an artefact's graphs: found, and given other weights.

The new ones are stored as the recipe stored the old ones, so that the graph stays what it was but for the number of
classes. Quantized as ai-edge-quantizer does it: symmetric, a scale for each class (for 32 inputs of one in int4).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converters.graph.tflite_model import names_of, op_name
from edgevit.errors import ConversionError

ACTIVATIONS = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
"""The op between logits and scores, and what it makes the scores."""
SMALLEST_BOUND = 1e-9
"""ai-edge-quantizer's: no scale is zero."""
INT4_BLOCK = 32
"""The inputs that share a scale."""
SMALLEST_INT4_SCALE, SMALLEST_NORMAL, LARGEST_INT4_SCALE = 2.0**-24, 2.0**-14, 65280.0
"""Of float16, in which these scales are stored."""


@dataclass(frozen=True)
class FoundHead:
    """Where it is in a subgraph, by the indices of tensors. What is none is -1."""

    operator: Any
    weight: int
    expanded: int
    """The weight as floats, where half precision is stored."""
    bias: int
    logits: int
    scores: int
    width: int
    activation: str
    """A value of `ACTIVATIONS`."""


def find_head(model: Any, subgraph: Any, scores: int) -> FoundHead:
    """The layer behind the tensor `scores` of a subgraph of a `schema.ModelT`.

    Raises `ConversionError` that says what is there in its place.
    """
    makers = {index: each for each in subgraph.operators for index in each.outputs}

    def made_by(index: int) -> tuple[str, Any]:
        maker = makers.get(index)
        return ("", None) if maker is None else (op_name(model.operatorCodes[maker.opcodeIndex]), maker)

    name, operator = made_by(scores)
    if name not in ACTIVATIONS:
        raise ConversionError(f"its scores are made by {name or 'nothing'}, not of logits by a softmax or a sigmoid")
    logits = operator.inputs[0]
    activation = ACTIVATIONS[name]
    name, operator = made_by(logits)
    if name == "DEQUANTIZE":
        raise ConversionError("its logits have one range, which was calibrated with the labels that it has")
    if name != "FULLY_CONNECTED":
        raise ConversionError(f"its logits are made by {name or 'nothing'}, not by a linear layer")
    weight, bias = operator.inputs[1], operator.inputs[2] if len(operator.inputs) > 2 else -1
    expanded = -1
    if made_by(weight)[0] == "DEQUANTIZE":
        expanded, weight = weight, made_by(weight)[1].inputs[0]
    for index in (operator.inputs[0], logits, scores, *([bias] if bias >= 0 else [])):
        if subgraph.tensors[index].type != schema.TensorType.FLOAT32:
            raise ConversionError("its classifier computes in integers, with ranges for the labels that it has")
    shape = subgraph.tensors[weight].shape
    if len(shape) != 2 or subgraph.tensors[weight].type not in STORED:
        kind = names_of(schema.TensorType)[subgraph.tensors[weight].type]
        raise ConversionError(f"its classifier's weights are {kind} {list(map(int, shape))}, which cannot be exchanged")
    return FoundHead(operator, weight, expanded, bias, logits, scores, int(shape[1]), activation)


class HeadChange:
    """Puts a layer's weight [classes, width] and bias [classes], float32, in the place of those that a model has.

    What subgraphs share they share afterwards, too.
    """

    def __init__(self, model: Any, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        self._model, self._weight, self._bias = model, weight, bias
        self._changed: dict[int, tuple[Any, Any]] = {}  # by the id of the old tensor: it, and the new one

    def apply(self, subgraph: Any, head: FoundHead) -> None:
        """In one subgraph, whose tensors are replaced, and never changed: others may share them (`unpacking`)."""
        classes, width = self._weight.shape
        for index in (head.logits, head.scores):
            self._put(subgraph, index, (1, classes))
        if head.expanded >= 0:
            self._put(subgraph, head.expanded, (classes, width))
        kind = subgraph.tensors[head.weight].type
        self._put(subgraph, head.weight, (classes, width), lambda new: STORED[kind](self, subgraph, new))
        if head.bias >= 0:
            self._put(subgraph, head.bias, (classes,), lambda new: self._store(new, self._bias))
        elif self._bias.any():
            self._add_bias(subgraph, head)

    def _put(
        self, subgraph: Any, index: int, shape: tuple[int, ...], fill: Callable[[Any], None] = lambda _tensor: None
    ) -> None:
        """Another tensor in the place of one. fill: what gives it its numbers."""
        old = subgraph.tensors[index]
        if id(old) not in self._changed:
            new = copy(old)
            new.shape = np.asarray(shape, np.int32)
            self._changed[id(old)] = old, new
            fill(new)
        subgraph.tensors[index] = self._changed[id(old)][1]

    def _add_bias(self, subgraph: Any, head: FoundHead) -> None:
        """Of a layer whose bias was nothing but zeros, the converter leaves it out."""
        made = schema.TensorT(name="logits/bias", shape=[len(self._bias)], type=schema.TensorType.FLOAT32, hasRank=True)
        self._store(made, self._bias)
        place = next(place for place, each in enumerate(subgraph.operators) if each is head.operator)
        operator = copy(head.operator)
        operator.inputs = [*operator.inputs[:2], len(subgraph.tensors)]
        subgraph.operators[place] = operator
        subgraph.tensors.append(made)

    def _store(self, tensor: Any, values: NDArray[Any]) -> None:
        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))

    def _float32(self, _subgraph: Any, tensor: Any) -> None:
        self._store(tensor, self._weight)

    def _float16(self, _subgraph: Any, tensor: Any) -> None:
        self._store(tensor, self._weight.astype(np.float16))

    def _int8(self, _subgraph: Any, tensor: Any) -> None:
        bound = np.maximum(np.abs(self._weight).max(axis=1), np.float32(SMALLEST_BOUND))
        scale = (bound / np.float32(127.0)).astype(np.float32)
        self._store(tensor, np.clip(np.rint(self._weight / scale[:, None]), -127, 127).astype(np.int8))
        tensor.quantization = copy(tensor.quantization)
        tensor.quantization.scale = scale
        tensor.quantization.zeroPoint = np.zeros(len(scale), np.int64)

    def _int4(self, subgraph: Any, tensor: Any) -> None:
        blocks = self._weight.reshape(len(self._weight), -1, INT4_BLOCK)
        scale = _int4_scale(np.abs(blocks).max(axis=-1) / np.float32(7.0))
        integers = np.clip(np.rint(blocks / scale[..., None]), -7, 7).astype(np.int8).reshape(-1, 2)
        self._store(tensor, (integers[:, 0] & 0x0F | integers[:, 1] << 4).astype(np.int8))
        self._put(
            subgraph,
            tensor.quantization.details.scales,
            scale.shape,
            lambda new: self._store(new, scale.astype(np.float16)),
        )


def _int4_scale(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest that float16 and bfloat16 both have: as `fake_rounding.int4_scale`, without TensorFlow."""
    scale = np.clip(scale, np.float32(SMALLEST_INT4_SCALE), np.float32(LARGEST_INT4_SCALE))
    denormal = np.rint(scale / SMALLEST_INT4_SCALE) * np.float32(SMALLEST_INT4_SCALE)
    bits = np.where(scale < SMALLEST_NORMAL, denormal, scale).astype(np.float32).view(np.uint32)
    even = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))  # to the nearest, ties to even
    rounded: NDArray[np.float32] = (even & np.uint32(0xFFFF0000)).view(np.float32)
    return rounded


STORED: dict[int, Callable[[HeadChange, Any, Any], None]] = {
    schema.TensorType.FLOAT32: HeadChange._float32,
    schema.TensorType.FLOAT16: HeadChange._float16,
    schema.TensorType.INT8: HeadChange._int8,
    schema.TensorType.INT4: HeadChange._int4,
}
"""The types that weights can be stored in: what puts them into a tensor."""
