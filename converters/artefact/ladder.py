"""Many single-resolution flatbuffers become one file, with everything that is equal stored once.

`merge` puts each resolution's subgraph behind a signature of its own. Weights, and the positions that each resolution
resamples for itself, are shared by content; everything smaller is by `packing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.tflite_model import INPUT_NAME
from edgevit.errors import ConversionError


@dataclass(frozen=True)
class Rung:
    """One resolution of the ladder: a flatbuffer with one subgraph, and the names of what it puts out."""

    name: str
    flatbuffer: bytes
    output_names: tuple[str, ...]


def merge(rungs: Sequence[Rung]) -> Any:
    """All rungs as one `schema.ModelT`, in the order given. Pack it with `packing.pack`."""
    ladder = _Ladder()
    for rung in rungs:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(rung.flatbuffer))
        if len(model.subgraphs) != 1:
            raise ConversionError(f"{rung.name} has {len(model.subgraphs)} subgraphs, not one")
        ladder.add(model, model.subgraphs[0], rung.name, rung.output_names)
    return ladder.model


def take(model: Any, name: str) -> Any:
    """The signature `name` of a ladder as a `schema.ModelT` of its own: what merging its rung alone would have given.

    Changes `model`, which is of no use afterwards.
    """
    signature = next(each for each in model.signatureDefs if each.signatureKey.decode() == name)
    subgraph = model.subgraphs[signature.subgraphIndex]
    names = {each.tensorIndex: each.name.decode() for each in signature.outputs}
    ladder = _Ladder()
    ladder.add(model, subgraph, name, tuple(names[index] for index in subgraph.outputs))
    return ladder.model


class _Ladder:
    def __init__(self) -> None:
        self.model = schema.ModelT(
            version=3,
            description="edgevit",
            operatorCodes=[],
            subgraphs=[],
            buffers=[schema.BufferT()],  # buffer 0 is empty by convention
            signatureDefs=[],
            metadata=[],
        )
        self._buffers: dict[bytes, int] = {b"": 0}
        self._operators: dict[tuple[Any, ...], int] = {}

    def add(self, model: Any, subgraph: Any, name: str, output_names: Sequence[str]) -> None:
        """Takes over a subgraph of `model` and the buffers and operator codes that it uses."""
        ladder = self.model
        for tensor in subgraph.tensors:
            tensor.buffer = _buffer_index(ladder, self._buffers, model.buffers[tensor.buffer])
        for operator in subgraph.operators:
            operator.opcodeIndex = _operator_index(ladder, self._operators, model.operatorCodes[operator.opcodeIndex])
        subgraph.name = name
        ladder.subgraphs.append(subgraph)
        ladder.signatureDefs.append(_signature(name, output_names, subgraph, len(ladder.subgraphs) - 1))


def collect_buffers(model: Any) -> None:
    """Leaves a ladder the buffers that its tensors use, in the order in which `merge` has them, equal ones once.

    Tensors may stand in several places (`unpacking`).
    """
    ladder, known = schema.ModelT(buffers=[schema.BufferT()]), {b"": 0}
    places: dict[int, int] = {}  # by the old index
    for tensor in {id(each): each for graph in model.subgraphs for each in graph.tensors}.values():
        if tensor.buffer not in places:
            places[tensor.buffer] = _buffer_index(ladder, known, model.buffers[tensor.buffer])
        tensor.buffer = places[tensor.buffer]
    model.buffers = ladder.buffers


def _buffer_index(ladder: Any, known: dict[bytes, int], buffer: Any) -> int:
    content = b"" if buffer.data is None else bytes(buffer.data)
    if content not in known:
        known[content] = len(ladder.buffers)
        ladder.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
    return known[content]


def _operator_index(ladder: Any, known: dict[tuple[Any, ...], int], code: Any) -> int:
    key = (code.deprecatedBuiltinCode, code.builtinCode, code.customCode, code.version)
    if key not in known:
        known[key] = len(ladder.operatorCodes)
        ladder.operatorCodes.append(code)
    return known[key]


def _signature(key: str, output_names: Sequence[str], subgraph: Any, index: int) -> Any:
    if len(subgraph.inputs) != 1 or len(subgraph.outputs) != len(output_names):
        raise ConversionError(f"{key} has {len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs")
    named_outputs = list(zip(output_names, subgraph.outputs, strict=True))
    for name, tensor in ((INPUT_NAME, subgraph.inputs[0]), *named_outputs):
        subgraph.tensors[tensor].name = name
    return schema.SignatureDefT(
        signatureKey=key,
        subgraphIndex=index,
        inputs=[schema.TensorMapT(name=INPUT_NAME, tensorIndex=subgraph.inputs[0])],
        outputs=[schema.TensorMapT(name=name, tensorIndex=tensor) for name, tensor in named_outputs],
    )


def add_metadata(ladder: Any, name: str, content: bytes) -> None:
    """Adds a metadata buffer under `name`."""
    ladder.metadata.append(schema.MetadataT(name=name, buffer=len(ladder.buffers)))
    ladder.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))
