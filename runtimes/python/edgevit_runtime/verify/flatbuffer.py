"""Reads a flatbuffer without a schema library, and believes nothing in it.

`parse` walks the tables that a schema describes: every offset, length and terminator is checked against the file before
it is followed, a field that the schema does not know is refused, and no file can make the walk much longer than itself.
What `parse` has gone through, native code can follow. The format: https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

# What a field holds: a struct letter for a scalar (i, I, b, B, Q, f, ...), "string", "bytes" for (start, count) of a
# byte vector that is left where it is, "offset" for a table whose kind only another field tells, "[i]" and the like for
# a vector of scalars, "[Name]" for a vector of tables, "Name" for one table.
Fields = Mapping[int, "tuple[str, str]"]
"""Field number -> (its name, what it holds)."""
Values = dict[str, Any]
"""Field name -> value; a field that is left out is not there."""
Reader = Callable[[int], Any]
TableLayout = tuple[int, "list[tuple[int, str, Callable[..., Any], Reader | None]]"]
"""A table's bytes, and of each field in it: where it is, its name, what unpacks it, and what reads what it leads to."""

SCALARS = {letter: struct.Struct(f"<{letter}") for letter in "bBhHiIqQf"}
OUTSIDE, OVERLAP = "an offset leads out of the file", "its parts overlap"
_OFFSET, _SIGNED, _VTABLE = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<HH")


class DamagedError(Exception):
    """The file says something that cannot be; the text says what."""


class Parser:
    """Reads tables of `data` by `schema`, a table's name -> its fields."""

    def __init__(self, data: bytes | memoryview, schema: Mapping[str, Fields]) -> None:
        self.data, self.size = data, len(data)
        self._fields = {
            name: {
                number: (field, SCALARS[kind], None) if kind in SCALARS else (field, _OFFSET, self._reader(kind))
                for number, (field, kind) in fields.items()
            }
            for name, fields in schema.items()
        }
        self._layouts: dict[tuple[int, str], TableLayout] = {}
        # The resolutions refer to the same parts: each is read once, and is then the same object.
        self._tables: dict[tuple[int, str], Values] = {}
        self._texts: dict[int, bytes] = {}
        self._budget = 4 * len(data) + 65536

    def root(self, name: str) -> Values:
        if self.size < 4:
            raise DamagedError(OUTSIDE)
        return self.table(_OFFSET.unpack_from(self.data, 0)[0], name)

    def table(self, at: int, name: str) -> Values:
        """The table `name` at byte `at`; the same one again where it was read before. Raises `DamagedError`."""
        known = self._tables.get((at, name))
        if known is not None:
            return known
        if not 0 <= at <= self.size - 4:
            raise DamagedError(OUTSIDE)
        start = at - _SIGNED.unpack_from(self.data, at)[0]
        table_bytes, fields = self._layouts.get((start, name)) or self._layout(start, name)
        if at + table_bytes > self.size:
            raise DamagedError(f"a {name} reaches beyond the file")
        self._spend(table_bytes)
        data = self.data
        values: Values = {}
        for offset, field, unpack, reader in fields:
            place = at + offset
            (value,) = unpack(data, place)
            values[field] = reader(place + value) if reader else value
        self._tables[at, name] = values
        return values

    def _layout(self, start: int, name: str) -> TableLayout:
        """A vtable: how long a table is, and where its fields are, each within it."""
        if not 0 <= start <= self.size - 4:
            raise DamagedError(OUTSIDE)
        vtable_bytes, table_bytes = _VTABLE.unpack_from(self.data, start)
        if vtable_bytes < 4 or vtable_bytes % 2 or start + vtable_bytes > self.size:
            raise DamagedError(f"a {name} reaches beyond the file")
        self._spend(vtable_bytes)
        present = []
        for number, offset in enumerate(struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self.data, start + 4)):
            if offset == 0:
                continue
            if number not in self._fields[name]:
                raise DamagedError(f"a {name} has a field {number} that this runtime does not know: upgrade it")
            field, scalar, reader = self._fields[name][number]
            if offset < 4 or offset + scalar.size > table_bytes:
                raise DamagedError(f"the field {field} lies outside its {name}")
            present.append((offset, field, scalar.unpack_from, reader))
        self._layouts[start, name] = table_bytes, present
        return table_bytes, present

    def _reader(self, kind: str) -> Reader:
        """What reads a field of this kind from the byte that its offset leads to."""
        if kind == "string":
            return self._text
        if kind == "bytes":
            return lambda at: self._vector(at, 1)
        if kind == "offset":
            return lambda at: at
        if not kind.startswith("["):
            return partial(self._table, kind)
        item = kind[1:-1]
        return partial(self._scalars if item in SCALARS else self._list, item)

    def _table(self, name: str, at: int) -> Values:
        return self.table(at, name)

    def _text(self, at: int) -> bytes:
        if at not in self._texts:
            start, count = self._vector(at, 1)
            if start + count >= self.size or self.data[start + count] != 0:
                raise DamagedError("a text has no end")
            self._texts[at] = bytes(self.data[start : start + count])
        return self._texts[at]

    def _scalars(self, item: str, at: int) -> tuple[Any, ...]:
        start, count = self._vector(at, SCALARS[item].size)
        return struct.unpack_from(f"<{count}{item}", self.data, start)

    def _list(self, name: str, at: int) -> list[Values]:
        start, count = self._vector(at, 4)
        offsets = struct.unpack_from(f"<{count}I", self.data, start)
        return [self.table(start + 4 * index + offset, name) for index, offset in enumerate(offsets)]

    def _vector(self, at: int, item_bytes: int) -> tuple[int, int]:
        """(byte of the first item, count) of a vector that lies wholly in the file."""
        if not 0 <= at <= self.size - 4:
            raise DamagedError(OUTSIDE)
        (count,) = _OFFSET.unpack_from(self.data, at)
        if at + 4 + count * item_bytes > self.size:
            raise DamagedError("a list reaches beyond the file")
        self._budget -= 4 + count * item_bytes
        if self._budget < 0:
            raise DamagedError(OVERLAP)
        return at + 4, count

    def _spend(self, count: int) -> None:
        """Parts may be shared, but not so often that a small file means a long walk."""
        self._budget -= count
        if self._budget < 0:
            raise DamagedError(OVERLAP)
