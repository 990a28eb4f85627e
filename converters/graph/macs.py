"""Multiply-accumulates of a graph, counted from its own operators, whoever made it.

For our ViTs they come to what `edgevit.latency.cost` says by formula. A matrix product of two numbers that both
depend on the picture is attention; one with weights is linear, and so are convolutions. What only constants go into,
such as resampled positions, does not count.
"""

from __future__ import annotations

import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from edgevit.latency.cost import Cost

_CODES = schema.BuiltinOperator


def count(model: Any, subgraph: Any) -> Cost:
    """MACs of one subgraph of a `schema.ModelT`: linear with weights, attention of two activations."""
    depends = {int(index) for index in subgraph.inputs}
    linear = attention = 0
    for operator in subgraph.operators:
        inputs, outputs = [int(each) for each in operator.inputs], [int(each) for each in operator.outputs]
        if not depends.intersection(inputs):
            continue
        depends.update(outputs)
        shapes = [[int(size) for size in subgraph.tensors[index].shape] for index in inputs if index >= 0]
        results = math.prod(int(size) for size in subgraph.tensors[outputs[0]].shape)
        code = flatbuffer_utils.get_builtin_code_from_operator_code(model.operatorCodes[operator.opcodeIndex])
        if code in (_CODES.CONV_2D, _CODES.FULLY_CONNECTED):
            linear += results * math.prod(shapes[1][1:])
        elif code == _CODES.DEPTHWISE_CONV_2D:
            linear += results * math.prod(shapes[1][1:3])
        elif code == _CODES.BATCH_MATMUL:
            inner = shapes[0][-2 if operator.builtinOptions.adjX else -1]
            if depends.issuperset(inputs):
                attention += results * inner
            else:
                linear += results * inner
    return Cost(linear, attention)
