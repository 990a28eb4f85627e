"""Many single-resolution flatbuffers become one file, with everything that is equal stored once.

`merge` puts each resolution's subgraph behind a signature of its own. Weights are shared by content. So are the
per-channel scales and zero points: a flatbuffer may point to one table from many places, which its Python packer
never does by itself (about 0.25 MB a resolution for DeiT-Tiny in int8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from edgevit.errors import ConversionError

INPUT_NAME = "image"


@dataclass(frozen=True)
class Rung:
    """One resolution of the ladder: a flatbuffer with one subgraph, and the names of what it puts out."""

    name: str
    flatbuffer: bytes
    output_names: tuple[str, ...]


def merge(rungs: Sequence[Rung]) -> Any:
    """All rungs as one `schema.ModelT`, in the order given. Pack it with `pack`."""
    ladder = schema.ModelT(
        version=3,
        description="edgevit",
        operatorCodes=[],
        subgraphs=[],
        buffers=[schema.BufferT()],  # buffer 0 is empty by convention
        signatureDefs=[],
        metadata=[],
    )
    buffers: dict[bytes, int] = {b"": 0}
    operators: dict[tuple[Any, ...], int] = {}
    for rung in rungs:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(rung.flatbuffer))
        if len(model.subgraphs) != 1:
            raise ConversionError(f"{rung.name} has {len(model.subgraphs)} subgraphs, not one")
        subgraph = model.subgraphs[0]
        for tensor in subgraph.tensors:
            tensor.buffer = _buffer_index(ladder, buffers, model.buffers[tensor.buffer])
        for operator in subgraph.operators:
            operator.opcodeIndex = _operator_index(ladder, operators, model.operatorCodes[operator.opcodeIndex])
        subgraph.name = rung.name
        ladder.subgraphs.append(subgraph)
        ladder.signatureDefs.append(_signature(rung, subgraph, len(ladder.subgraphs) - 1))
    return ladder


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


def _signature(rung: Rung, subgraph: Any, index: int) -> Any:
    if len(subgraph.inputs) != 1 or len(subgraph.outputs) != len(rung.output_names):
        raise ConversionError(f"{rung.name} has {len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs")
    named_outputs = zip(rung.output_names, subgraph.outputs, strict=True)
    for name, tensor in (
        (INPUT_NAME, subgraph.inputs[0]),
        *zip(rung.output_names, subgraph.outputs, strict=True),
    ):
        subgraph.tensors[tensor].name = name
    return schema.SignatureDefT(
        signatureKey=rung.name,
        subgraphIndex=index,
        inputs=[schema.TensorMapT(name=INPUT_NAME, tensorIndex=subgraph.inputs[0])],
        outputs=[schema.TensorMapT(name=name, tensorIndex=tensor) for name, tensor in named_outputs],
    )


def add_metadata(ladder: Any, name: str, content: bytes) -> None:
    """Adds a metadata buffer under `name`."""
    ladder.metadata.append(schema.MetadataT(name=name, buffer=len(ladder.buffers)))
    ladder.buffers.append(schema.BufferT(data=np.frombuffer(content, np.uint8)))


def pack(ladder: Any) -> bytes:
    """The `.tflite` bytes: buffers aligned to 16 bytes as the schema demands, equal quantization stored once."""
    builder = flatbuffers.Builder(1 << 20)
    shared: dict[bytes, int] = {}
    for buffer in ladder.buffers:
        buffer.__class__ = _AlignedBuffer
    for subgraph in ladder.subgraphs:
        for tensor in subgraph.tensors:
            if tensor.quantization is not None:
                tensor.quantization.__class__ = _SharedQuantization
                tensor.quantization.shared = shared
    builder.Finish(ladder.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _AlignedBuffer(schema.BufferT):
    """schema.fbs says force_align 16, which the generated Python packer leaves out."""

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated name
        offset = None
        if self.data is not None and len(self.data):
            content = bytes(self.data)
            builder.StartVector(1, len(content), 16)
            head = builder.Head() - len(content)
            builder.head = head
            builder.Bytes[head : head + len(content)] = content
            offset = builder.EndVector()
        schema.BufferStart(builder)
        if offset is not None:
            schema.BufferAddData(builder, offset)
        end: int = schema.BufferEnd(builder)
        return end


class _SharedQuantization(schema.QuantizationParametersT):
    """Points to an equal table that was packed before, where there is one."""

    shared: dict[bytes, int]

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated name
        if self.details is not None:  # blockwise and custom kinds: rare, packed as they are
            offset: int = super().Pack(builder)
            return offset
        parts = [np.asarray([] if part is None else part) for part in (self.min, self.max, self.scale, self.zeroPoint)]
        key = b"|".join(part.tobytes() for part in parts) + b"|%d" % self.quantizedDimension
        if key not in self.shared:
            self.shared[key] = super().Pack(builder)
        return self.shared[key]
