"""What LiteRT's GPU accelerator (2.3.0) computes wrongly without a word, in a graph: constants and products.

`benchmarks/gpu_ops.py` tries each op of ours; a later LiteRT may compute it rightly, or something else wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from converters.graph.gpu_constants import faulty_constants
from converters.graph.tflite_model import op_name

GIVE_FOUR_DIMENSIONS = "give the constant four dimensions (`converters.graph.gpu_constants`)"
GIVE_AS_MANY = "give it as many matrices on the left as on the right"


def gpu_faults(model: Any, subgraph: Any) -> Iterator[tuple[str, str]]:
    """Of a subgraph of a `schema.ModelT`: what it computes wrongly, and what to do about it."""
    for fault in faulty_constants(model, subgraph):
        yield f"{fault.op} with a constant {list(fault.shape)}", GIVE_FOUR_DIMENSIONS
    for operator in subgraph.operators:
        if op_name(model.operatorCodes[operator.opcodeIndex]) != "BATCH_MATMUL":
            continue
        left, right = (_batch(subgraph.tensors[index]) for index in operator.inputs[:2])
        if left != right and not _is_constant(model, subgraph, operator.inputs[0]):
            yield f"BATCH_MATMUL of {list(left) or 1} matrices and {list(right)}", GIVE_AS_MANY


def _batch(tensor: Any) -> tuple[int, ...]:
    """How many matrices it is, without dimensions of 1 in front."""
    batch = [int(side) for side in tensor.shape[:-2]]
    while batch and batch[0] == 1:
        batch.pop(0)
    return tuple(batch)


def _is_constant(model: Any, subgraph: Any, index: int) -> bool:
    data = model.buffers[subgraph.tensors[index].buffer].data
    return data is not None and len(data) > 0
