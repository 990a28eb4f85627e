"""A TFLite model as bytes, with every equal part stored once.

A flatbuffer may point to one part from many places, which its Python packer does for vtables only. A ladder's
resolutions repeat each other: names, shapes, scales, options, whole operators (DeiT-Tiny in int8: 0.27 MB a resolution
without this). Parts are packed before what points to them, so equal ones are found from the leaves up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def pack(model: Any) -> bytes:
    """A `schema.ModelT` as `.tflite` bytes: buffers aligned to 16 bytes as the schema demands, equal parts shared."""
    for buffer in model.buffers:
        buffer.__class__ = _AlignedBuffer
    builder = _SharingBuilder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
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


class _SharingBuilder(flatbuffers.Builder):
    """Where a part equals one that is there already, goes back to before it and gives the other's place.

    Two tables are equal where their fields are; two vectors where their bytes are, or the places that they point to
    (what is written for a place is its distance, which says nothing).
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._known: dict[Any, int] = {}
        self._before = 0  # the builder's offset when the part was begun
        self._item_bytes, self._alignment = 0, 0
        self._fields: list[Any] = []
        self._places: list[int] = []
        self._objects: dict[int, tuple[Any, int]] = {}

    def once(self, part: Any, pack: Callable[[Any], int]) -> int:
        """The place of an object that stands in many places (`unpacking`): packed where it is met first."""
        if id(part) not in self._objects:
            self._objects[id(part)] = part, pack(self)
        return self._objects[id(part)][1]

    def StartObject(self, numfields: int) -> None:  # noqa: N802
        self._before, self._fields = self.Offset(), []
        super().StartObject(numfields)

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:  # noqa: N802
        self._fields.append((o, flags, x))
        super().PrependSlot(flags, o, x, d)

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:  # noqa: N802
        self._fields.append((o, None, x))
        super().PrependUOffsetTRelativeSlot(o, x, d)

    def EndObject(self) -> int:  # noqa: N802
        key = tuple(self._fields)
        if key in self._known:  # before its vtable is written, which later tables may point to
            self.current_vtable, self.nested = None, False
            return self._rewind(key)
        self._known[key] = place = int(super().EndObject())
        return place

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        self._before, self._places = self.Offset(), []
        self._item_bytes, self._alignment = elemSize, alignment
        return int(super().StartVector(elemSize, numElems, alignment))

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        self._places.append(off)
        super().PrependUOffsetTRelative(off)

    def EndVector(self, numElems: int | None = None) -> int:  # noqa: N802, N803
        content = bytes(self.Bytes[self.head : self.head + self._item_bytes * self.vectorNumElems])
        key = (self._alignment, self._item_bytes, tuple(self._places) or content)
        place = int(super().EndVector(numElems))
        if key in self._known:
            return self._rewind(key)
        self._known[key] = place
        return place

    def CreateString(self, s: Any, encoding: str = "utf-8", errors: str = "strict") -> int:  # noqa: N802
        self._before, self._places = self.Offset(), []
        self._item_bytes, self._alignment = 1, 0  # which no vector has: a string ends with a zero more
        return int(super().CreateString(s, encoding, errors))

    def _rewind(self, key: Any) -> int:
        self.head = len(self.Bytes) - self._before
        return self._known[key]
