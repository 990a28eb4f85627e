"""Tensors of a TFLite file, each held against what it says of itself: type, shape, scales, constant."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevit_runtime.verify.flatbuffer import DamagedError, Parser, Values
from edgevit_runtime.verify.graph_cost import size_bytes
from edgevit_runtime.verify.operand import LARGEST_SCALE, SMALLEST_SCALE, Operand, TensorScales
from edgevit_runtime.verify.tflite_schema import TYPES

MAX_DIMENSIONS = 6
MAX_TENSOR_BYTES = 2**30
MAX_CONSTANT_INTS = 64
"""Axes, orders and shapes are this short; longer constants are weights and never read here."""
BLOCKWISE = 2
"""Among the kinds of details that a quantization may have (QuantizationDetails)."""
BLOCK = 32
"""Of int4 weights as many share a scale."""
ALIGNMENT = 4
"""Constants begin at multiples of this. The schema says 16, but LiteRT's own tools write 4, and that works."""


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise DamagedError(what)


def index_of(index: int, things: Sequence[Any], what: str) -> int:
    """`index`, which names one of `things`. Raises `DamagedError` where it does not."""
    if not 0 <= index < len(things):
        raise DamagedError(f"{what} {index} of {len(things)}")
    return index


class Tensors:
    """Reads the tensors of a model's subgraphs. Raises `DamagedError` for what cannot be."""

    def __init__(self, data: bytes | memoryview, parser: Parser, buffers: Sequence[Values]) -> None:
        self.data, self.parser = data, parser
        self.buffers = [self._buffer(each) for each in buffers]
        # Blocks and resolutions repeat each other: what was found right once is not looked at again.
        self._quantized: dict[int, TensorScales] = {}
        self._block_scales: set[tuple[int, int]] = set()
        self._operands: dict[tuple[Any, ...], Operand] = {}

    def of(self, graph: Values) -> list[Operand]:
        """A subgraph's."""
        found = graph.get("tensors", [])
        tensors = [self._tensor(each) for each in found]
        for place, (values, operand) in enumerate(zip(found, tensors)):
            if operand.dtype == "int4" or "details_type" in values.get("quantization", {}):
                self._blocks(operand, values.get("quantization", {}), found, tensors)
                tensors[place] = self._operand(*operand[:5], True)
        return tensors

    def _buffer(self, buffer: Values) -> tuple[int, int]:
        """(first byte, size), whether it lies in the flatbuffer or behind it."""
        offset, size = buffer.get("offset", 0), buffer.get("size", 0)
        if offset > 1:  # 0 and 1 mean: within the flatbuffer
            _demand(offset + size <= len(self.data) and "data" not in buffer, "a buffer reaches beyond the file")
            start, count = offset, size
        else:
            _demand(size <= 1, "a buffer's size without its place")
            start, count = buffer.get("data", (0, 0))
        _demand(count == 0 or start % ALIGNMENT == 0, "a buffer is not aligned")
        return start, count

    def _tensor(self, tensor: Values) -> Operand:
        _demand(tensor.get("type", 0) in TYPES, f"a tensor of type {tensor.get('type', 0)}")
        dtype = TYPES[tensor.get("type", 0)]
        shape = tensor.get("shape", ())
        if len(shape) > MAX_DIMENSIONS or (shape and min(shape) < 1):
            raise DamagedError(f"a tensor of shape {list(shape)}")
        _demand(tensor.get("shape_signature", shape) == shape, "a tensor whose shape is not fixed")
        plain = Operand(shape, dtype)
        wanted = size_bytes(plain)
        if wanted > MAX_TENSOR_BYTES:
            raise DamagedError(f"a tensor of {wanted} bytes")
        quantized = self._scales(tensor["quantization"], plain) if tensor.get("quantization") else None
        start, count = self.buffers[index_of(tensor.get("buffer", 0), self.buffers, "buffer")]
        if count == 0:  # an empty buffer: the tensor is computed
            return self._operand(shape, dtype, None, False, quantized)
        _demand(count == wanted, f"{count} bytes for a constant of shape {list(shape)}, {dtype}")
        values = None
        if dtype == "int32" and count <= 4 * MAX_CONSTANT_INTS:
            values = struct.unpack_from(f"<{count // 4}i", self.data, start)
        zero = dtype == "float32" and count == 4 and struct.unpack_from("<f", self.data, start) == (0.0,)
        return self._operand(shape, dtype, values, True, quantized, False, zero)

    def _operand(self, *fields: Any) -> Operand:
        """Equal tensors are one object."""
        operand = self._operands.get(fields)
        if operand is None:
            operand = self._operands[fields] = Operand(*fields)
        return operand

    def _scales(self, quantization: Values, tensor: Operand) -> TensorScales | None:
        """What may be at the place where an operator has it is for `quantization.check_quantization` to say."""
        scales, zeros = quantization.get("scale", ()), quantization.get("zero_point", ())
        axis = quantization.get("dimension", 0)
        if not scales and not zeros:
            _demand(axis == 0, f"an axis {axis} of no scales")
            return None
        _demand(0 <= axis < max(1, len(tensor.shape)), f"scales along axis {axis}")
        lengths = (1, tensor.shape[axis]) if tensor.shape else (1,)
        _demand(len(scales) in lengths and len(zeros) == len(scales), f"{len(scales)} scales, {len(zeros)} zero points")
        found = self._quantized.get(id(quantization))  # the resolutions share their scales
        if found is None:
            # A sum is NaN where one is.
            _demand(min(scales) > 0.0 and sum(scales) < math.inf, "a scale that is no positive number")
            found = self._quantized[id(quantization)] = TensorScales(scales, zeros, axis)
            _demand(found.low >= SMALLEST_SCALE and found.high <= LARGEST_SCALE, "a scale that no recipe gives")
        return found

    def _blocks(
        self, operand: Operand, quantization: Values, values: Sequence[Values], tensors: Sequence[Operand]
    ) -> None:
        """int4 weights and their scales, a tensor by itself, whose place native kernels take on trust."""
        _demand(
            operand.dtype == "int4" and operand.constant and len(operand.shape) == 2, "scales by blocks of no weights"
        )
        _demand(
            quantization.get("details_type") == BLOCKWISE
            and "details_at" in quantization
            and not quantization.get("scale")
            and not quantization.get("zero_point"),
            "int4 weights without scales by blocks",
        )
        details = self.parser.table(quantization["details_at"], "Blockwise")
        rows, columns = operand.shape
        _demand(details.get("block_size") == BLOCK and columns % BLOCK == 0, f"int4 blocks in {columns} columns")
        _demand(details.get("zero_points", 0) == -1, "zero points by blocks")
        index = index_of(details.get("scales", 0), tensors, "tensor of scales")
        scales = tensors[index]
        _demand(
            scales.dtype == "float16" and scales.constant and scales.shape == (rows, columns // BLOCK),
            f"scales {list(scales.shape)} for int4 weights {list(operand.shape)}",
        )
        place = self.buffers[values[index].get("buffer", 0)]
        if place not in self._block_scales:
            self._block_scales.add(place)
            least, most = self._halves(*place)
            # Positive and finite: kernels look at the rest for themselves, and end the process.
            _demand(least > 0 and most < 0x7C00, "a scale that is no positive number")

    def _halves(self, start: int, count: int) -> tuple[int, int]:
        """The smallest and largest bits of float16 numbers. Here, for an error keeps its frame's view of the file."""
        bits = np.frombuffer(self.data, "<u2", count // 2, start)
        return int(bits.min()), int(bits.max())
