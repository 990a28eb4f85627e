"""Reads a flatbuffer without a schema library, and believes nothing in it.

`parse` walks the tables that a schema describes: every offset, length and terminator is checked against the file before
it is followed, a field that the schema does not know is refused, and no file can make the walk longer than itself. What
`parse` has gone through, native code can follow. The format: https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

# What a field holds: a struct letter for a scalar (i, I, b, B, Q, f, ...), "string", "bytes" for (start, count) of a
# byte vector that is left where it is, "offset" for a table whose kind only another field tells, "[i]" and the like for
# a vector of scalars, "[Name]" for a vector of tables, "Name" for one table.
Fields = Mapping[int, "tuple[str, str]"]
"""Field number -> (its name, what it holds)."""
Values = dict[str, Any]
"""Field name -> value; a field that is left out is not there."""

SCALARS = {letter: struct.Struct(f"<{letter}") for letter in "bBhHiIqQf"}
_OFFSET, _SIGNED, _VTABLE = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<HH")


class DamagedError(Exception):
    """The file says something that cannot be; the text says what."""


class Parser:
    """Reads tables of `data` by `schema`, a table's name -> its fields."""

    def __init__(self, data: bytes | memoryview, schema: Mapping[str, Fields]) -> None:
        self.data, self.size, self.schema = data, len(data), schema
        self._budget = 4 * len(data) + 65536

    def root(self, name: str) -> Values:
        return self.table(self._read(_OFFSET, 0), name)

    def table(self, at: int, name: str) -> Values:
        """The table `name` at byte `at`. Raises `DamagedError`."""
        start = at - self._read(_SIGNED, at)
        vtable_bytes, table_bytes = self._read(_VTABLE, start)
        if vtable_bytes < 4 or vtable_bytes % 2 or start + vtable_bytes > self.size or at + table_bytes > self.size:
            raise DamagedError(f"a {name} reaches beyond the file")
        self._spend(table_bytes)
        fields = self.schema[name]
        values: Values = {}
        slots = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self.data, start + 4)
        for number, offset in enumerate(slots):
            if offset == 0:
                continue
            if number not in fields:
                raise DamagedError(f"a {name} has a field {number} that this runtime does not know: upgrade it")
            field, kind = fields[number]
            scalar = SCALARS.get(kind)
            width = scalar.size if scalar else 4
            if offset < 4 or offset + width > table_bytes:
                raise DamagedError(f"the field {field} lies outside its {name}")
            if scalar:
                values[field] = scalar.unpack_from(self.data, at + offset)[0]
            else:
                place = at + offset
                values[field] = self._follow(place + _OFFSET.unpack_from(self.data, place)[0], kind)
        return values

    def _follow(self, at: int, kind: str) -> Any:
        if kind == "string":
            start, count = self._vector(at, 1)
            if start + count >= self.size or self.data[start + count] != 0:
                raise DamagedError("a text has no end")
            return bytes(self.data[start : start + count])
        if kind == "bytes":
            return self._vector(at, 1)
        if kind == "offset":
            return at
        if not kind.startswith("["):
            return self.table(at, kind)
        item = kind[1:-1]
        scalar = SCALARS.get(item)
        if scalar:
            start, count = self._vector(at, scalar.size)
            return struct.unpack_from(f"<{count}{item}", self.data, start)
        start, count = self._vector(at, 4)
        offsets = struct.unpack_from(f"<{count}I", self.data, start)
        return [self.table(start + 4 * index + offset, item) for index, offset in enumerate(offsets)]

    def _vector(self, at: int, item_bytes: int) -> tuple[int, int]:
        """(byte of the first item, count) of a vector that lies wholly in the file."""
        count: int = self._read(_OFFSET, at)
        if at + 4 + count * item_bytes > self.size:
            raise DamagedError("a list reaches beyond the file")
        self._spend(4 + count * item_bytes)
        return at + 4, count

    def _read(self, kind: struct.Struct, at: int) -> Any:
        if not 0 <= at <= self.size - kind.size:
            raise DamagedError("an offset leads out of the file")
        values = kind.unpack_from(self.data, at)
        return values[0] if len(values) == 1 else values

    def _spend(self, count: int) -> None:
        """Parts may be shared, but not so often that a small file means a long walk."""
        self._budget -= count
        if self._budget < 0:
            raise DamagedError("its parts overlap")
