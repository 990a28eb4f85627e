"""Is this artefact safe to hand to native code, and is it what its manifest says?

An artefact is untrusted input, and native interpreters follow the indices, shapes and sizes in it into memory. Before
one sees it, everything is checked here: that each part lies in the file (`flatbuffer`), that each index names a thing,
that constants are as long as their shapes say, that every tensor is written once and before it is read, that each
operator is one we know and gives the shape it must (`ops`), and that signatures, tensors and manifest agree.
It says nothing about where the file comes from: that is what `integrity` is for.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import Manifest
from edgevit_runtime.signature import Signature, Tensor
from edgevit_runtime.verify.flatbuffer import DamagedError, Parser, Values
from edgevit_runtime.verify.operators import ACTIVATIONS, INTEGER_SCALES, OPS, Op, Operand, Scales
from edgevit_runtime.verify.tflite_schema import TABLES, TYPES

MAX_DIMENSIONS = 6
MAX_TENSOR_BYTES = 2**31 - 1
ALIGNMENT = 4
"""Constants begin at multiples of this. The schema says 16, but LiteRT's own tools write 4, and that works."""
ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255)}
"""What the type can hold; other types are quantized symmetrically."""
MAX_CONSTANT_INTS = 64
"""Axes, orders and shapes are this short; longer constants are weights and never read here."""
BLOCKWISE = 2
"""Among the kinds of details that a quantization may have (QuantizationDetails)."""
BLOCK = 32
"""Of int4 weights as many share a scale."""


def verify(data: bytes | memoryview, manifest: Manifest) -> None:
    """Checks the whole file against itself and its manifest. Raises `ArtefactError` that says what is wrong."""
    try:
        _Verifier(data).check(manifest)
    except DamagedError as error:
        raise ArtefactError(f"the file is damaged or was tampered with: {error}") from None


def verify_graphs(data: bytes | memoryview) -> None:
    """The same for a flatbuffer that has no manifest yet. Raises `DamagedError`."""
    verifier = _Verifier(data)
    for each in verifier.model.get("subgraphs", ()):
        verifier.subgraph(each)


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise DamagedError(what)


class _Verifier:
    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        # Blocks and resolutions repeat each other: what was found right once is not looked at again.
        self._scales: set[tuple[int, str]] = set()
        self._block_scales: set[tuple[int, int]] = set()
        self._operators: set[tuple[Any, ...]] = set()
        self._operands: dict[tuple[Any, ...], Operand] = {}
        self.parser = Parser(data, TABLES)
        self.model = self.parser.root("Model")
        _demand(self.model.get("version") == 3, f"TFLite schema version {self.model.get('version')}")
        self.ops = [self._op(code) for code in self.model.get("codes", ())]
        self.buffers = [self._buffer(buffer) for buffer in self.model.get("buffers", ())]
        for entry in self.model.get("metadata", ()):
            self._index(entry.get("buffer", 0), self.buffers, "metadata buffer")

    def check(self, manifest: Manifest) -> None:
        subgraphs = [self.subgraph(each) for each in self.model.get("subgraphs", ())]
        signatures: dict[str, Values] = {}
        for each in self.model.get("signatures", ()):
            key = each.get("key", b"").decode("utf-8", "replace")
            _demand(key not in signatures, f"two signatures {key}")
            signatures[key] = each
        names = [each.name for each in manifest.signatures]
        _demand(sorted(signatures) == sorted(names), "its signatures are not those of its manifest")
        for signature in manifest.signatures:
            entry = signatures[signature.name]
            index = self._index(entry.get("subgraph", 0), subgraphs, "subgraph")
            self._agree(signature, entry, self.model["subgraphs"][index], subgraphs[index])

    @staticmethod
    def _index(index: int, things: Sequence[Any], what: str) -> int:
        if not 0 <= index < len(things):
            raise DamagedError(f"{what} {index} of {len(things)}")
        return index

    @staticmethod
    def _op(code: Values) -> Op:
        # Old readers know only the short code; it holds the larger ones as 127.
        number = max(code.get("short_code", 0), code.get("code", 0))
        _demand(
            number in OPS and code.get("short_code", 0) in (0, min(number, 127)),
            f"an operator {number} that no recipe uses",
        )
        _demand(1 <= code.get("version", 1) <= 64, "an operator's version")
        return OPS[number]

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

    def subgraph(self, graph: Values) -> list[Operand]:
        """Its tensors, after every check that needs nothing but the subgraph."""
        tensors = [self._tensor(tensor) for tensor in graph.get("tensors", ())]
        for values, operand in zip(graph.get("tensors", ()), tensors):
            if operand.dtype == "int4" or "details_type" in values.get("quantization", {}):
                self._blocks(operand, values.get("quantization", {}), graph["tensors"], tensors)
        written = {index for index, tensor in enumerate(tensors) if tensor.constant}
        for index in graph.get("inputs", ()):
            self._index(index, tensors, "input tensor")
            _demand(index not in written, f"input {index} is written elsewhere")
            written.add(index)
        for operator in graph.get("operators", ()):
            op = self.ops[self._index(operator.get("opcode", 0), self.ops, "operator code")]
            try:
                options = self._operator(op, operator, tensors, written)
                if op.name in INTEGER_SCALES and tensors[operator["outputs"][0]].dtype in ("int8", "int16"):
                    self._ratios(op, operator, graph["tensors"], options)
            except DamagedError as error:
                raise DamagedError(f"{op.name}: {error}") from None
        for index in graph.get("outputs", ()):
            self._index(index, tensors, "output tensor")
            _demand(index in written, f"output {index} is never written")
        return tensors

    def _tensor(self, tensor: Values) -> Operand:
        _demand(tensor.get("type", 0) in TYPES, f"a tensor of type {tensor.get('type', 0)}")
        dtype, item_bytes = TYPES[tensor.get("type", 0)]
        shape = tensor.get("shape", ())
        if len(shape) > MAX_DIMENSIONS or (shape and min(shape) < 1):
            raise DamagedError(f"a tensor of shape {list(shape)}")
        _demand(tensor.get("shape_signature", shape) == shape, "a tensor whose shape is not fixed")
        size_bytes = math.ceil(math.prod(shape) * item_bytes)
        if size_bytes > MAX_TENSOR_BYTES:
            raise DamagedError(f"a tensor of {size_bytes} bytes")
        if tensor.get("quantization"):
            self._quantization(tensor["quantization"], shape, dtype)
        index = self._index(tensor.get("buffer", 0), self.buffers, "buffer")
        start, count = self.buffers[index]
        if count == 0:  # an empty buffer: the tensor is computed
            return self._operand(shape, dtype)
        _demand(count == size_bytes, f"{count} bytes for a constant of shape {list(shape)}, {dtype}")
        values = None
        if dtype == "int32" and count <= 4 * MAX_CONSTANT_INTS:
            values = struct.unpack_from(f"<{count // 4}i", self.data, start)
        return self._operand(shape, dtype, values, True)

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
            and not quantization.get("zero_point")
            and not quantization.get("dimension", 0),
            "int4 weights without scales by blocks",
        )
        details = self.parser.table(quantization["details_at"], "Blockwise")
        rows, columns = operand.shape
        _demand(details.get("block_size") == BLOCK and columns % BLOCK == 0, f"int4 blocks in {columns} columns")
        _demand(details.get("zero_points", 0) == -1, "zero points by blocks")
        index = self._index(details.get("scales", 0), tensors, "tensor of scales")
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

    def _operand(self, *fields: Any) -> Operand:
        """Equal tensors are one object."""
        operand = self._operands.get(fields)
        if operand is None:
            operand = self._operands[fields] = Operand(*fields)
        return operand

    def _quantization(self, quantization: Values, shape: Sequence[int], dtype: str) -> None:
        scales, zeros = quantization.get("scale", ()), quantization.get("zero_point", ())
        if not scales and not zeros:
            return
        axis = quantization.get("dimension", 0)
        _demand(0 <= axis < max(1, len(shape)), f"scales along axis {axis}")
        lengths = (1, shape[axis]) if shape else (1,)
        _demand(len(scales) in lengths and len(zeros) == len(scales), f"{len(scales)} scales, {len(zeros)} zero points")
        if (id(quantization), dtype) in self._scales:  # the resolutions share their scales
            return
        self._scales.add((id(quantization), dtype))
        # A sum is NaN where one is. Kernels multiply scales in float32, which must not become 0 or infinite.
        _demand(min(scales) > 0.0 and sum(scales) < math.inf, "a scale that is no positive number")
        _demand(min(scales) >= 2.0**-64 and max(scales) <= 2.0**64, "a scale that no recipe gives")
        # Kernels look values up in tables by their distance from the zero point.
        lowest, highest = ZERO_POINTS.get(dtype, (0, 0))
        _demand(lowest <= min(zeros) and max(zeros) <= highest, "a zero point out of range")

    @staticmethod
    def _ratios(op: Op, operator: Values, tensors: Sequence[Values], options: Values) -> None:
        """The scales of an operator whose arithmetic is integer."""

        def scales(index: int) -> Scales:
            held = tensors[index].get("quantization", {}).get("scale", ()) if index >= 0 else ()
            return (min(held), max(held)) if held else (0.0, 0.0)

        output = scales(operator["outputs"][0])
        inputs = [scales(index) for index in operator["inputs"][:2]]
        _demand(output[0] > 0.0 and INTEGER_SCALES[op.name](inputs, output, options), "scales too far apart")

    def _operator(self, op: Op, operator: Values, tensors: list[Operand], written: set[int]) -> Values:
        """Its options, after they and its tensors were found in order."""
        inputs: list[Operand | None] = []
        for place, index in enumerate(operator.get("inputs", ())):
            if index == -1 and place == 2 and op.inputs == 3:  # no bias
                inputs.append(None)
                continue
            self._index(index, tensors, "tensor")
            if index not in written:
                raise DamagedError(f"tensor {index} is read before it is written")
            inputs.append(tensors[index])
        if op.inputs == 3 and len(inputs) == 2:
            inputs.append(None)
        _demand(len(inputs) == op.inputs if op.inputs else 1 <= len(inputs) <= 64, f"{len(inputs)} inputs")
        _demand(not any(operator.get("mutating", ())) and not operator.get("intermediates"), "a variable")
        options: Values = {}
        if operator.get("options_type", 0):
            _demand(operator["options_type"] == op.options_type, f"options of kind {operator['options_type']}")
            _demand("options_at" in operator, "no options")
            options = self.parser.table(operator["options_at"], op.options)
        else:
            # These kernels read their options without asking whether there are any.
            _demand(op.options in ("None", "Cast", "Reshape") and "options_at" not in operator, "no options")
        results = []
        for index in operator.get("outputs", ()):
            self._index(index, tensors, "tensor")
            if index in written:
                raise DamagedError(f"tensor {index} is written twice")
            written.add(index)
            results.append(tensors[index])
        kind = (op.name, *map(id, inputs), None, *map(id, results), *options.items())
        if kind not in self._operators:
            self._kind(op, options, inputs, results)
            self._operators.add(kind)
        return options

    def _kind(self, op: Op, options: Values, inputs: list[Operand | None], outputs: list[Operand]) -> None:
        """Whether such an operator can be: its options, shapes and types."""
        _demand(options.get("activation", 0) in ACTIVATIONS, f"an activation {options.get('activation')}")
        shapes = op.rule(inputs, options)
        _demand(len(outputs) == len(shapes), f"{len(outputs)} outputs, not {len(shapes)}")
        for output, shape in zip(outputs, shapes):
            _demand(output.shape == shape, f"gives {list(shape)}, not {list(output.shape)}")
        self._types(op, inputs, outputs)

    @staticmethod
    def _types(op: Op, inputs: Sequence[Operand | None], outputs: Sequence[Operand]) -> None:
        found = tuple(None if each is None else each.dtype for each in inputs)
        for *wanted, result in op.dtypes:
            padded = (*wanted, *[wanted[-1]] * (len(found) - len(wanted)))
            if all(each in (None, want) for each, want in zip(found, padded)) and all(
                each.dtype == result for each in outputs
            ):
                return
        raise DamagedError(f"takes no {', '.join(map(str, found))}")

    def _agree(self, signature: Signature, entry: Values, graph: Values, tensors: list[Operand]) -> None:
        """The signature in the file is the one in the manifest: names, types, shapes, scales."""
        for part, wanted in (("inputs", (signature.input,)), ("outputs", signature.outputs)):
            found = {
                each.get("name", b"").decode("utf-8", "replace"): each.get("tensor", 0) for each in entry.get(part, ())
            }
            _demand(
                sorted(found) == sorted(each.name for each in wanted), f"{signature.name} has other {part} than it says"
            )
            _demand(sorted(found.values()) == sorted(graph.get(part, ())), f"{signature.name}'s {part}")
            for tensor in wanted:
                index = self._index(found[tensor.name], tensors, "tensor")
                _demand(
                    _described(tensor) == _held(tensors[index], graph["tensors"][index]),
                    f"{signature.name}'s tensor {tensor.name} is not what the manifest says",
                )


def _described(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, struct.pack("<f", tensor.scale), tensor.zero_point


def _held(operand: Operand, tensor: Values) -> tuple[Any, ...]:
    quantization = tensor.get("quantization", {})
    scales, zeros = quantization.get("scale", (0.0,)), quantization.get("zero_point", (0,))
    return operand.dtype, operand.shape, struct.pack("<f", scales[0]), zeros[0]
