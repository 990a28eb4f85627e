"""What a signature of an artefact computes: its operators in order, with the shapes and types of what they read.

Three operators are one here where XNNPACK makes them one: DEQUANTIZE, a function of each number by itself, and
QUANTIZE. From int8 to int8 that is a table of 256 numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevit_runtime.verify.flatbuffer import Parser
from edgevit_runtime.verify.operand import Operand
from edgevit_runtime.verify.operators import OPS
from edgevit_runtime.verify.tensors import Tensors
from edgevit_runtime.verify.tflite_schema import TABLES

__all__ = ["TABLE", "GraphOperator", "graph_operators"]

TABLE = "TABLE"
"""The name of a chain that XNNPACK computes by a table."""
_BY_TABLE = ("EXP", "GELU")
"""Functions whose chains were counted: no more cycles than a table takes (benchmarks/arm_rates.py)."""


@dataclass(frozen=True)
class GraphOperator:
    """One operator of a graph."""

    name: str
    """As TFLite calls it, such as `FULLY_CONNECTED`, or `TABLE`."""
    inputs: tuple[Operand | None, ...]
    """None: no bias."""
    outputs: tuple[Operand, ...]
    options: Mapping[str, Any]
    places: tuple[int, ...] = ()
    """Where it stands among the graph's operators: three places of a table."""

    @property
    def constant(self) -> bool:
        """Whether it reads nothing but constants, such as a table of positions that is resampled."""
        return all(each is None or each.constant for each in self.inputs)

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes its cost: operators of the same key run the same instructions."""
        return (
            self.name,
            tuple(each and (each.shape, each.dtype, each.constant, each.values) for each in self.inputs),
            tuple((each.shape, each.dtype) for each in self.outputs),
            tuple(self.options.items()),
        )


def graph_operators(data: bytes | memoryview, signature: str) -> list[GraphOperator]:
    """Those of the signature of that name, in the order in which they run.

    data: a whole `.tflite` file that was verified (`edgevit_runtime.verify.examination`): here nothing is doubted.
    """
    parser = Parser(data, TABLES)
    model = parser.root("Model")
    tensors = Tensors(data, parser, model.get("buffers", ()))
    codes = [OPS[max(each.get("short_code", 0), each.get("code", 0))] for each in model.get("codes", ())]
    (place,) = (
        each.get("subgraph", 0) for each in model.get("signatures", ()) if each.get("key", b"").decode() == signature
    )
    graph = model["subgraphs"][place]
    operands, found = tensors.of(graph), []
    operators = graph.get("operators", ())
    chains = _tables(graph, [codes[each.get("opcode", 0)].name for each in operators], operands)
    for place, each in enumerate(operators):
        op = codes[each.get("opcode", 0)]
        options = parser.table(each["options_at"], op.options) if each.get("options_type", 0) else {}
        inputs = tuple(None if index < 0 else operands[index] for index in each.get("inputs", ()))
        outputs = tuple(operands[index] for index in each.get("outputs", ()))
        found.append(GraphOperator(op.name, inputs, outputs, options, (place,)))
    for chain in chains:
        first, _, last = (found[place] for place in chain)
        found[chain[-1]] = GraphOperator(TABLE, first.inputs, last.outputs, {}, chain)
    merged = {place for chain in chains for place in chain[:-1]}
    return [each for place, each in enumerate(found) if place not in merged]


def _tables(graph: Mapping[str, Any], names: Sequence[str], operands: Sequence[Operand]) -> list[tuple[int, int, int]]:
    """The places of chains that are tables: from int8 to int8, and nothing else reads what is between."""
    operators = graph.get("operators", ())
    read = Counter(index for each in operators for index in each.get("inputs", ()))
    read.update(graph.get("outputs", ()))
    makers = {index: place for place, each in enumerate(operators) for index in each.get("outputs", ())}
    found = []
    for last, name in enumerate(names):
        if name != "QUANTIZE" or operands[operators[last]["outputs"][0]].dtype != "int8":
            continue
        computed = operators[last]["inputs"][0]
        middle = makers.get(computed)
        if middle is None or names[middle] not in _BY_TABLE or read[computed] != 1:
            continue
        plain = operators[middle]["inputs"][0]
        first = makers.get(plain)
        if first is None or names[first] != "DEQUANTIZE" or read[plain] != 1:
            continue
        source = operands[operators[first]["inputs"][0]]
        if source.dtype == "int8" and not source.constant:
            found.append((first, middle, last))
    return found
