"""Is this artefact safe to hand to native code, and is it what its manifest says?

An artefact is untrusted input, and native interpreters follow the indices, shapes and sizes in it into memory. Before
one sees it, everything is checked here: that each part lies in the file (`flatbuffer`), that each index names a thing,
that constants are as long as their shapes say (`tensors`), that every tensor is written once and before it is read,
that each operator is one we know and gives the shape it must (`operators`) from operands that are quantized as its
kernels take it (`quantization`), what all of it costs (`graph_cost`), and that signatures, tensors and manifest agree.
It says nothing about where the file comes from: that is what `integrity` is for.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import Manifest
from edgevit_runtime.signature import Signature, Tensor
from edgevit_runtime.verify import graph_cost
from edgevit_runtime.verify.flatbuffer import DamagedError, Parser, Values
from edgevit_runtime.verify.graph_cost import GraphCost
from edgevit_runtime.verify.operand import Operand
from edgevit_runtime.verify.operators import ACTIVATIONS, OPS, Op
from edgevit_runtime.verify.quantization import check_quantization
from edgevit_runtime.verify.tensors import Tensors, index_of
from edgevit_runtime.verify.tflite_schema import TABLES


def verify(data: bytes | memoryview, manifest: Manifest) -> None:
    """Checks the whole file against itself and its manifest. Raises `ArtefactError` that says what is wrong."""
    try:
        _Verifier(data).check(manifest)
    except DamagedError as error:
        raise ArtefactError(f"the file is damaged or was tampered with: {error}") from None


def verify_graphs(data: bytes | memoryview) -> list[GraphCost]:
    """The same for a flatbuffer that has no manifest yet: what each of its subgraphs costs. Raises `DamagedError`."""
    return [each.cost for each in _Verifier(data).subgraphs()]


class _Subgraph(NamedTuple):
    values: Values
    tensors: list[Operand]
    cost: GraphCost


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise DamagedError(what)


class _Verifier:
    def __init__(self, data: bytes | memoryview) -> None:
        self.size_bytes = len(data)
        self.parser = Parser(data, TABLES)
        self.model = self.parser.root("Model")
        _demand(self.model.get("version") == 3, f"TFLite schema version {self.model.get('version')}")
        self.ops = [self._op(code) for code in self.model.get("codes", ())]
        self.tensors = Tensors(data, self.parser, self.model.get("buffers", ()))
        self._operators: set[tuple[Any, ...]] = set()  # what was found right
        for entry in self.model.get("metadata", ()):
            index_of(entry.get("buffer", 0), self.tensors.buffers, "metadata buffer")

    def subgraphs(self) -> list[_Subgraph]:
        """Each, after every check that needs nothing but itself."""
        return [self._subgraph(each) for each in self.model.get("subgraphs", ())]

    def check(self, manifest: Manifest) -> None:
        subgraphs = self.subgraphs()
        signatures: dict[str, Values] = {}
        for each in self.model.get("signatures", ()):
            key = each.get("key", b"").decode("utf-8", "replace")
            _demand(key not in signatures, f"two signatures {key}")
            signatures[key] = each
        names = [each.name for each in manifest.signatures]
        _demand(sorted(signatures) == sorted(names), "its signatures are not those of its manifest")
        found = [index_of(each.get("subgraph", 0), subgraphs, "subgraph") for each in signatures.values()]
        # Interpreters get each of them ready, whoever asks.
        _demand(sorted(found) == list(range(len(subgraphs))), "not one signature for each subgraph")
        graph_cost.check_bounds([each.cost for each in subgraphs], self.size_bytes)
        for signature in manifest.signatures:
            entry = signatures[signature.name]
            self._agree(signature, entry, subgraphs[entry.get("subgraph", 0)])

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

    def _subgraph(self, graph: Values) -> _Subgraph:
        tensors = self.tensors.of(graph)
        inputs = graph.get("inputs", ())
        written = {index for index, tensor in enumerate(tensors) if tensor.constant}
        for index in inputs:
            index_of(index, tensors, "input tensor")
            _demand(index not in written, f"input {index} is written elsewhere")
            written.add(index)
        given = set(written)
        counter = graph_cost.Counter(tensors, inputs)
        for operator in graph.get("operators", ()):
            op = self.ops[index_of(operator.get("opcode", 0), self.ops, "operator code")]
            try:
                options = self._operator(op, operator, tensors, written)
            except DamagedError as error:
                raise DamagedError(f"{op.name}: {error}") from None
            counter.add(op.name, options, operator.get("inputs", ()), operator.get("outputs", ()))
        outputs = graph.get("outputs", ())
        for index in outputs:
            index_of(index, tensors, "output tensor")
            _demand(index in written and index not in given, f"output {index} is never written")
        return _Subgraph(graph, tensors, counter.total(outputs))

    def _operator(self, op: Op, operator: Values, tensors: list[Operand], written: set[int]) -> Values:
        """Its options, after they and its tensors were found in order."""
        inputs: list[Operand | None] = []
        for place, index in enumerate(operator.get("inputs", ())):
            if index == -1 and place == 2 and op.inputs == 3:  # no bias
                inputs.append(None)
                continue
            index_of(index, tensors, "tensor")
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
            index_of(index, tensors, "tensor")
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
        check_quantization(op.name, inputs, outputs, options)

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

    def _agree(self, signature: Signature, entry: Values, subgraph: _Subgraph) -> None:
        """The signature in the file is the one in the manifest: names, types, shapes, scales, and what it costs."""
        graph, tensors = subgraph.values, subgraph.tensors
        for part, wanted in (("inputs", (signature.input,)), ("outputs", signature.outputs)):
            found = {
                each.get("name", b"").decode("utf-8", "replace"): each.get("tensor", 0) for each in entry.get(part, ())
            }
            _demand(
                sorted(found) == sorted(each.name for each in wanted), f"{signature.name} has other {part} than it says"
            )
            _demand(sorted(found.values()) == sorted(graph.get(part, ())), f"{signature.name}'s {part}")
            for tensor in wanted:
                operand = tensors[index_of(found[tensor.name], tensors, "tensor")]
                _demand(
                    _described(tensor) == _held(operand),
                    f"{signature.name}'s tensor {tensor.name} is not what the manifest says",
                )
        operators = len(graph.get("operators", ()))
        _demand(signature.ops == operators, f"{signature.name} has {operators} operators, not {signature.ops}")
        dtypes = Counter(each.dtype.upper() for each in tensors)
        _demand(signature.dtypes == dtypes, f"{signature.name} has tensors of other types than it says")
        self._agree_on_cost(signature, subgraph.cost)

    @staticmethod
    def _agree_on_cost(signature: Signature, found: GraphCost) -> None:
        stated = {f"{kind}_macs": count for kind, count in signature.macs.items()}
        if signature.cost is not None:
            stated |= signature.cost._asdict()
        for what, count in stated.items():
            each = getattr(found, what)
            _demand(each == count, f"{signature.name} takes {each} {what}, not {count} as the manifest says")


def _described(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, struct.pack("<f", tensor.scale), tensor.zero_point


def _held(operand: Operand) -> tuple[Any, ...]:
    found = operand.quantized
    if found is None:
        return operand.dtype, operand.shape, struct.pack("<f", 0.0), 0
    _demand(len(found.scales) == 1, "several scales of an input or output")
    return operand.dtype, operand.shape, struct.pack("<f", found.scales[0]), found.zero_points[0]
