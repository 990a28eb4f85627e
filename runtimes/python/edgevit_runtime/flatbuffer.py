"""Reads the few parts of a `.tflite` file that the runtime needs, without a schema library.

Every offset is checked against the file before it is followed, so that a truncated or damaged file becomes an
`ArtefactError` and not a crash in native code. The format: https://flatbuffers.dev/internals/ ; the fields' numbers:
tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edgevit_runtime.errors import ArtefactError

# Field numbers in schema.fbs.
MODEL_SUBGRAPHS, MODEL_BUFFERS, MODEL_METADATA, MODEL_SIGNATURES = 2, 4, 6, 7
BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE = 0, 1, 2
METADATA_NAME, METADATA_BUFFER = 0, 1
SUBGRAPH_TENSORS, SUBGRAPH_OPERATORS = 0, 3
SIGNATURE_KEY = 2


class DamagedError(Exception):
    """An offset leads out of the file."""


class Table:
    """One flatbuffer table at byte `at` of `data`."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data, self.at = data, at
        self.vtable = at - _read(data, "<i", at)
        if not 0 <= self.vtable <= len(data) - 4 or self.vtable + _read(data, "<H", self.vtable) > len(data):
            raise DamagedError

    def _field(self, number: int) -> int | None:
        entry = 4 + 2 * number
        if entry + 2 > _read(self.data, "<H", self.vtable):
            return None
        offset = _read(self.data, "<H", self.vtable + entry)
        return self.at + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        """The scalar `field` of struct kind `I` or `Q`, 0 where it is left out."""
        at = self._field(field)
        return 0 if at is None else _read(self.data, f"<{kind}", at)

    def vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """(byte of the first item, count) of a vector that lies wholly in the file; (0, 0) where it is left out."""
        at = self._field(field)
        if at is None:
            return 0, 0
        start = at + _read(self.data, "<I", at)
        count = _read(self.data, "<I", start)
        if start + 4 + count * item_bytes > len(self.data):
            raise DamagedError
        return start + 4, count

    def bytes(self, field: int) -> bytes:
        start, count = self.vector(field, 1)
        return bytes(self.data[start : start + count])

    def tables(self, field: int) -> Iterator[Table]:
        start, count = self.vector(field, 4)
        for at in range(start, start + 4 * count, 4):
            yield Table(self.data, at + _read(self.data, "<I", at))


def _read(data: memoryview, kind: str, at: int) -> int:
    if not 0 <= at <= len(data) - struct.calcsize(kind):
        raise DamagedError
    value: int = struct.unpack_from(kind, data, at)[0]
    return value


def read_metadata(data: memoryview, name: str) -> bytes | None:
    """The metadata buffer called `name`, or None where there is none.

    Raises `ArtefactError` when `data` is not a TFLite model or is cut short.
    """
    if len(data) < 8 or bytes(data[4:8]) != b"TFL3":
        raise ArtefactError("not a TFLite file")
    try:
        model = Table(data, _read(data, "<I", 0))
        buffers = [_buffer_span(buffer) for buffer in model.tables(MODEL_BUFFERS)]
        for subgraph in model.tables(MODEL_SUBGRAPHS):
            for field in (SUBGRAPH_TENSORS, SUBGRAPH_OPERATORS):
                for _ in subgraph.tables(field):
                    pass
        for signature in model.tables(MODEL_SIGNATURES):
            signature.bytes(SIGNATURE_KEY)
        for entry in model.tables(MODEL_METADATA):
            if entry.bytes(METADATA_NAME) == name.encode():
                index = entry.number(METADATA_BUFFER, "I")
                if index >= len(buffers):
                    raise DamagedError
                start, size = buffers[index]
                return bytes(data[start : start + size])
    except DamagedError:
        raise ArtefactError("the file is truncated or damaged") from None
    return None


def _buffer_span(buffer: Table) -> tuple[int, int]:
    """(first byte, size) of a buffer, whether it lies in the flatbuffer or behind it."""
    offset, size = buffer.number(BUFFER_OFFSET, "Q"), buffer.number(BUFFER_SIZE, "Q")
    if offset > 1:  # 0 and 1 mean: within the flatbuffer
        if offset + size > len(buffer.data):
            raise DamagedError
        return offset, size
    return buffer.vector(BUFFER_DATA, 1)
