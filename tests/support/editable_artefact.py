"""An artefact that can be changed part by part: each mutant is its bytes with new parts behind, and offsets to them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit_runtime.manifest import BUFFER_NAME, find_manifest, read_manifest
from edgevit_runtime.verify.flatbuffer import SCALARS, Parser
from edgevit_runtime.verify.operators import OPS
from edgevit_runtime.verify.tflite_schema import TABLES

Path_ = tuple[Any, ...]
Values = dict[str, Any]
SIZE_PLACE = b'"size_bytes":'
SIZE_DIGITS = 12


class Writer:
    """Writes tables as `flatbuffer.Parser` gives them, each behind what leads to it.

    slots: the place of each offset to a table of a list, by its path: ("subgraphs", 0, "tensors", 5).
    """

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.slots: dict[Path_, int] = {}

    def table(self, name: str, values: Values, path: Path_ = ()) -> int:
        """Where it was put."""
        fields = {number: (field, kind) for number, (field, kind) in TABLES[name].items() if field in values}
        self._pad(8)
        count = max(fields, default=-1) + 1
        vtable = len(self.data)
        self.data += bytes(4 + 2 * count)
        self._pad(8)
        start = len(self.data)
        self.data += bytes(4)
        places = {}
        for number, (_, kind) in fields.items():
            size = SCALARS[kind].size if kind in SCALARS else 4
            self._pad(size)
            places[number] = len(self.data)
            self.data += bytes(size)
        struct.pack_into("<i", self.data, start, start - vtable)
        struct.pack_into("<HH", self.data, vtable, 4 + 2 * count, len(self.data) - start)
        for number, (field, kind) in fields.items():
            struct.pack_into("<H", self.data, vtable + 4 + 2 * number, places[number] - start)
            if kind in SCALARS:
                SCALARS[kind].pack_into(self.data, places[number], values[field])
            else:
                self.lead(places[number], self._part(kind, values[field], (*path, field)))
        return start

    def lead(self, place: int, to: int) -> None:
        struct.pack_into("<I", self.data, place, to - place)

    def _part(self, kind: str, value: Any, path: Path_) -> int:
        if kind == "offset":  # (a table's name, its values)
            return self.table(*value)
        if kind in ("string", "bytes"):
            return self._vector(len(value), bytes(value) + b"\0" * (kind == "string"), 16 if kind == "bytes" else 4)
        if not kind.startswith("["):
            return self.table(kind, value, path)
        item = kind[1:-1]
        if item in SCALARS:
            size = SCALARS[item].size
            return self._vector(len(value), b"".join(map(SCALARS[item].pack, value)), size)
        at = self._vector(len(value), bytes(4 * len(value)), 4)
        for index, each in enumerate(value):
            slot = at + 4 + 4 * index
            self.slots[(*path, index)] = slot
            self.lead(slot, self.table(item, each, (*path, index)))
        return at

    def _vector(self, count: int, content: bytes, alignment: int) -> int:
        self.data += bytes(-(len(self.data) + 4) % max(4, alignment))
        at = len(self.data)
        self.data += struct.pack("<I", count) + content
        return at

    def _pad(self, alignment: int) -> None:
        self.data += bytes(-len(self.data) % alignment)


class EditableArtefact:
    """`model` as `flatbuffer.Parser` gives it, with bytes and options in place; `manifest` as JSON gives it.

    in_place: changed copies begin with the file's own bytes; otherwise it is written anew, every part by itself.
    """

    def __init__(self, path: Path, *, in_place: bool = False) -> None:
        manifest = read_manifest(path)
        data = path.read_bytes()[: manifest.size_bytes]
        parser = Parser(data, TABLES)
        self.model = parser.root("Model")
        for buffer in self.model["buffers"]:
            start, count = buffer.get("data", (0, 0))
            buffer["data"] = data[start : start + count]
        for graph in self.model["subgraphs"]:
            for operator in graph["operators"]:
                if isinstance(operator.get("options_at"), int):
                    code = self.model["codes"][operator.get("opcode", 0)]
                    kind = OPS[max(code.get("short_code", 0), code.get("code", 0))].options
                    operator["options_at"] = (kind, parser.table(operator["options_at"], kind))
            for tensor in graph["tensors"]:
                details = tensor.get("quantization", {})
                if isinstance(details.get("details_at"), int):
                    details["details_at"] = ("Blockwise", parser.table(details["details_at"], "Blockwise"))
        self.manifest: dict[str, Any] = json.loads(find_manifest(memoryview(data)) or b"")
        self.manifest["sealed"] = False  # the seal would find everything
        self._buffer = next(each["buffer"] for each in self.model["metadata"] if each["name"] == BUFFER_NAME.encode())
        self.model["buffers"][self._buffer] = {"data": self.described(self.manifest)}
        if in_place:
            self._base, self._slots = data.replace(b'"sealed":true', b'"sealed":0   '), _slots(data)
        else:
            writer = self._whole(self.model)
            self._base, self._slots = bytes(writer.data), writer.slots

    @staticmethod
    def _whole(model: Values) -> Writer:
        writer = Writer(bytearray(b"\0\0\0\0TFL3"))
        writer.lead(0, writer.table("Model", model))
        return writer

    @classmethod
    def written(cls, model: Values) -> bytes:
        """A whole model; its manifest says the size."""
        data = cls._whole(model).data
        cls._stamp(data)
        return bytes(data)

    @staticmethod
    def _stamp(data: bytearray) -> None:
        at = 0
        while (at := data.find(SIZE_PLACE, at)) >= 0:
            at += len(SIZE_PLACE)
            if data[at : at + SIZE_DIGITS].strip() == b"0":
                data[at : at + SIZE_DIGITS] = b"%*d" % (SIZE_DIGITS, len(data))

    @staticmethod
    def described(manifest: Mapping[str, Any]) -> bytes:
        """A manifest's JSON, with room for its size."""
        text = json.dumps({**manifest, "size_bytes": 0}).encode()
        return text.replace(b'"size_bytes": 0', SIZE_PLACE + b"0".rjust(SIZE_DIGITS), 1)

    def changed(
        self,
        parts: Sequence[tuple[Path_, str, Values]] = (),
        manifest: Mapping[str, Any] | bytes | None = None,
        behind: bytes = b"",
    ) -> bytes:
        """The file with other tables in some places, another manifest, and bytes behind it that it counts as its own.

        parts: (path, table's name, values); the manifest says the size that it has then, if it says one.
        """
        writer = Writer(bytearray(self._base))
        wanted = list(parts)
        if manifest is not None:
            content = manifest if isinstance(manifest, bytes) else self.described(manifest)
            wanted.append((("buffers", self._buffer), "Buffer", {"data": content}))
        for path, name, values in wanted:
            writer.lead(self._slots[path], writer.table(name, values))
        writer.data += bytes(-len(writer.data) % 16)
        writer.data += behind
        self._stamp(writer.data)
        return bytes(writer.data)

    def tensors(self) -> list[tuple[Path_, Values]]:
        """Every tensor of every subgraph, and its path."""
        return [
            (("subgraphs", number, "tensors", index), tensor)
            for number, graph in enumerate(self.model["subgraphs"])
            for index, tensor in enumerate(graph["tensors"])
        ]


def _slots(data: bytes) -> dict[Path_, int]:
    """The places of the offsets to tensors and buffers in a file as it is."""

    def field(table: int, number: int) -> int:
        vtable = table - struct.unpack_from("<i", data, table)[0]
        return table + int(struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0])

    def led(place: int) -> int:
        return place + int(struct.unpack_from("<I", data, place)[0])

    def items(place: int) -> list[int]:
        vector = led(place)
        return [vector + 4 + 4 * index for index in range(struct.unpack_from("<I", data, vector)[0])]

    model = led(0)
    found: dict[Path_, int] = {("buffers", index): slot for index, slot in enumerate(items(field(model, 4)))}
    for number, subgraph in enumerate(items(field(model, 2))):
        tensors = items(field(led(subgraph), 0))
        found.update({("subgraphs", number, "tensors", index): slot for index, slot in enumerate(tensors)})
    return found
