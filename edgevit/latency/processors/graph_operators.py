"""What a signature of an artefact computes: its operators in order, with the shapes and types of what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevit_runtime.verify.flatbuffer import Parser
from edgevit_runtime.verify.operand import Operand
from edgevit_runtime.verify.operators import OPS
from edgevit_runtime.verify.tensors import Tensors
from edgevit_runtime.verify.tflite_schema import TABLES

__all__ = ["GraphOperator", "graph_operators"]


@dataclass(frozen=True)
class GraphOperator:
    """One operator of a graph."""

    name: str
    """As TFLite calls it, such as `FULLY_CONNECTED`."""
    inputs: tuple[Operand | None, ...]
    """None: no bias."""
    outputs: tuple[Operand, ...]
    options: Mapping[str, Any]

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
    for each in graph.get("operators", ()):
        op = codes[each.get("opcode", 0)]
        options = parser.table(each["options_at"], op.options) if each.get("options_type", 0) else {}
        inputs = tuple(None if index < 0 else operands[index] for index in each.get("inputs", ()))
        outputs = tuple(operands[index] for index in each.get("outputs", ()))
        found.append(GraphOperator(op.name, inputs, outputs, options))
    return found
