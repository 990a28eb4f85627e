"""An artefact's operators, each as a `.tflite` file of its own: so each kernel can be counted apart.

Operators of one shape run the same instructions, so each kind is written once, with how often the artefact has it. What
an operator reads and no constant is becomes the file's input.
"""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack
from edgevit.latency.processors.graph_operators import GraphOperator, graph_operators
from edgevit.latency.processors.kernel_work import costs_nothing
from edgevit_runtime.verify.snapshot import Snapshot


class SingleOperators:
    """Of one signature of an artefact."""

    def __init__(self, artefact: Path, signature: str) -> None:
        with Snapshot(artefact) as snapshot, snapshot.mapped() as data:
            self._model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
            found = [each for each in graph_operators(data, signature) if _is_counted(each)]
        (index,) = (each.subgraphIndex for each in self._model.signatureDefs if each.signatureKey.decode() == signature)
        self._graph = self._model.subgraphs[index]
        self.times: Counter[tuple[Any, ...]] = Counter(each.key for each in found)
        self._first: dict[tuple[Any, ...], GraphOperator] = {}
        for each in found:
            self._first.setdefault(each.key, each)

    @property
    def operators(self) -> dict[tuple[Any, ...], GraphOperator]:
        """By `GraphOperator.key`."""
        return dict(self._first)

    def write(self, key: tuple[Any, ...], path: Path) -> None:
        """The operator of that key as a file; a table's three operators."""
        operators = [copy.copy(self._graph.operators[place]) for place in self._first[key].places]
        codes = [self._model.operatorCodes[each.opcodeIndex] for each in operators]
        buffers, places = [schema.BufferT()], {}
        tensors: list[Any] = []
        for index in dict.fromkeys(index for each in operators for index in (*each.inputs, *each.outputs)):
            if index < 0:
                continue
            tensor = copy.copy(self._graph.tensors[index])
            data = self._model.buffers[tensor.buffer].data
            tensor.buffer = 0
            if data is not None and len(data):
                tensor.buffer = len(buffers)
                buffers.append(schema.BufferT(data=np.frombuffer(bytes(data), np.uint8)))
            places[index] = len(tensors)
            tensors.append(tensor)
        made = {index for each in operators for index in each.outputs}
        read = dict.fromkeys(index for each in operators for index in each.inputs if index >= 0 and index not in made)
        inputs = [places[index] for index in read if not tensors[places[index]].buffer]
        for number, each in enumerate(operators):
            each.inputs = np.array([places.get(index, -1) for index in each.inputs], np.int32)
            each.outputs = np.array([places[index] for index in each.outputs], np.int32)
            each.opcodeIndex = number
        outputs = list(operators[-1].outputs)
        graph = schema.SubGraphT(tensors=tensors, inputs=inputs, outputs=outputs, operators=operators)
        model = schema.ModelT(version=3, operatorCodes=codes, subgraphs=[graph], buffers=buffers)
        path.write_bytes(pack(model))


def _is_counted(operator: GraphOperator) -> bool:
    """Not what costs nothing; nor what reads constants alone, and so has no input: the kernels are others' as well."""
    return not (operator.constant or costs_nothing(operator))


def idle_file(path: Path) -> None:
    """A graph that does next to nothing: what calling a graph takes by itself."""
    tensors = [
        schema.TensorT(shape=[1, 1], type=schema.TensorType.FLOAT32, buffer=0, name=name, hasRank=True)
        for name in ("x", "y")
    ]
    operator = schema.OperatorT(opcodeIndex=0, inputs=[0], outputs=[1])
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
    relu = schema.BuiltinOperator.RELU
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=relu, builtinCode=relu, version=1)]
    path.write_bytes(pack(schema.ModelT(version=3, operatorCodes=codes, subgraphs=[graph], buffers=[schema.BufferT()])))
