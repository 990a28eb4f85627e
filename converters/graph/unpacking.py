"""A packed file read back, a part that many places point to as one object.

The reader of `flatbuffer_utils` makes an object for each place: of a ladder it makes thousands that are equal, which
takes longer than all that `edgevit relabel` does besides. What `pack` shares (`packing`) is read once here and packed
once again: the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema


def unpack(content: bytes, only: int | None = None) -> Any:
    """A `.tflite` file as a `schema.ModelT`, for `pack`.

    only: the place of the one subgraph that is wanted; the others are None.
    Tensors and operators may stand in several places, so none may be changed: put another in its place.
    """
    root = _Root()
    root.Init(content, int.from_bytes(content[:4], "little"))
    model = schema.ModelT()
    model._UnPack(root)
    known: dict[tuple[type, int], Any] = {}
    model.subgraphs = [
        _subgraph(content, each, known) if only in (None, place) else None
        for place, each in enumerate(root.subgraphs())
    ]
    for buffer in model.buffers:
        if buffer.offset > 1:  # behind the flatbuffer
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


class _Root(schema.Model):
    """Without its subgraphs, so that `_UnPack` leaves them."""

    def SubgraphsIsNone(self) -> bool:  # noqa: N802 - the generated name
        return True

    def subgraphs(self) -> Iterator[Any]:
        return (self.Subgraphs(index) for index in range(self.SubgraphsLength()))


class _SharedTensor(schema.TensorT):
    def Pack(self, builder: Any) -> int:  # noqa: N802
        return int(builder.once(self, super().Pack))


class _SharedOperator(schema.OperatorT):
    def Pack(self, builder: Any) -> int:  # noqa: N802
        return int(builder.once(self, super().Pack))


_TENSORS, _OPERATORS = 4, 10
"""Where a SubGraph's table has its vectors: 4 + 2 x the field's number in schema.fbs."""


def _subgraph(content: bytes, graph: Any, known: dict[tuple[type, int], Any]) -> Any:
    def parts(field: int, reader: type, kind: type) -> list[Any]:
        found = []
        for place in _places(content, graph._tab, field):
            if (kind, place) not in known:
                part, known[kind, place] = reader(), kind()
                part.Init(content, place)
                known[kind, place]._UnPack(part)
            found.append(known[kind, place])
        return found

    return schema.SubGraphT(
        tensors=parts(_TENSORS, schema.Tensor, _SharedTensor),
        inputs=graph.InputsAsNumpy().tolist(),
        outputs=graph.OutputsAsNumpy().tolist(),
        operators=parts(_OPERATORS, schema.Operator, _SharedOperator),
        name=graph.Name(),
        debugMetadataIndex=graph.DebugMetadataIndex(),
    )


def _places(content: bytes, table: Any, field: int) -> list[int]:
    """Where the tables lie that a vector points to."""
    offset = table.Offset(field)
    if not offset:
        return []
    start, count = table.Vector(offset), table.VectorLen(offset)
    here = start + 4 * np.arange(count)
    places: list[int] = (here + np.frombuffer(content, "<u4", count, start)).tolist()
    return places
