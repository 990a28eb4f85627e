"""Damage that keeps an artefact's form and changes what it says, by kinds, number by number.

Each kind is a class with `len()` and `damaged(number)`, made of one `EditableArtefact`: what a fuzzer of bytes finds
once in a million times is tried here in every place.
"""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from edgevit_runtime.signature import StatedCost
from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.integrity import MAGIC
from edgevit_runtime.verify.tflite_schema import TYPES
from edgevit_runtime.verify.verifier import verify_graphs
from support.editable_artefact import SIZE_DIGITS, SIZE_PLACE, EditableArtefact, Path_, Values

NUMBERS = {name: number for number, name in TYPES.items()}
TINY, HUGE = 1.2e-38, 3.4e38


def _scaled(factor: float) -> Callable[[Values, Values], Values]:
    return lambda held, _: {**held, "scale": tuple(min(HUGE, factor * each) for each in held["scale"])}


def _first(value: float) -> Callable[[Values, Values], Values]:
    return lambda held, _: {**held, "scale": (value, *held["scale"][1:])}


def _zero(value: int) -> Callable[[Values, Values], Values]:
    return lambda held, _: {**held, "zero_point": (value, *held["zero_point"][1:])}


def _along(axis: int) -> Callable[[Values, Values], Values]:
    def many(held: Values, tensor: Values) -> Values:
        shape = tensor.get("shape", ())
        count = shape[axis] if axis < len(shape) else 7
        zero = held["zero_point"][0] if len(held["zero_point"]) == 1 else 0
        return {**held, "scale": (held["scale"][0],) * count, "zero_point": (zero,) * count, "dimension": axis}

    return many


def _count(more: int) -> Callable[[Values, Values], Values]:
    def counted(held: Values, _: Values) -> Values:
        count = max(0, len(held["scale"]) + more)
        return {**held, "scale": (held["scale"][0],) * count, "zero_point": (held["zero_point"][0],) * count}

    return counted


def _with(**fields: Any) -> Callable[[Values, Values], Values]:
    return lambda held, _: {**held, **fields}


QUANTIZATIONS: tuple[Callable[[Values, Values], Values], ...] = (
    _with(scale=(), zero_point=()),
    _with(scale=()),
    _with(zero_point=()),
    *(_scaled(2.0**power) for power in (-120, -64, -40, -20, -8, 8, 20, 31, 40, 64)),
    *map(_first, (0.0, -0.0, -1.0, math.nan, math.inf, -math.inf, TINY, 1e-45, HUGE, 1.0)),
    *map(_zero, (1, -1, 127, -128, -129, 128, 255, 256, 32767, -32769, 2**31, -(2**31), 2**63 - 1, -(2**63))),
    *map(_along, range(5)),
    *map(_count, (-1, 1, 1000)),
    *(_with(dimension=axis) for axis in (-1, 1, 2, 3, 4, 2**31 - 1, -(2**31))),
    _with(details_type=1),
    _with(details_type=2),
    _with(details_type=200),
    _with(details_type=2, details_at=("Blockwise", {"scales": 0, "zero_points": -1, "block_size": 32})),
    _with(min=(0.0,), max=(-1.0,)),
    lambda held, _: {**held, "scale": held["scale"] * 2, "zero_point": held["zero_point"] * 2},
)


class Quantization:
    """Every tensor's scales and zero points, one tensor at a time; behind those, two at a time and other types."""

    TYPES = ("float32", "float16", "int32", "uint8", "int64", "bool", "int16", "int8", "int4")

    def __init__(self, whole: EditableArtefact, more: int = 0) -> None:
        self.whole, self.more = whole, more
        self.tensors = whole.tensors()
        self.each = len(QUANTIZATIONS) + 1 + len(self.TYPES)

    def __len__(self) -> int:
        return len(self.tensors) * self.each + self.more

    def damaged(self, number: int) -> bytes:
        if number < len(self.tensors) * self.each:
            return self._changed([divmod(number, self.each)])
        draw = random.Random(number)
        pairs = [(draw.randrange(len(self.tensors)), draw.randrange(self.each)) for _ in range(2)]
        return self._changed(pairs)

    def part(self, number: int) -> tuple[Path_, str, Values]:
        """One changed tensor, without what the manifest says of it."""
        index, kind = divmod(number, self.each)
        path, tensor = self.tensors[index]
        return path, "Tensor", self._tensor(tensor, kind)

    def _changed(self, pairs: list[tuple[int, int]]) -> bytes:
        parts, manifest = [], copy.deepcopy(self.whole.manifest)
        for index, kind in pairs:
            path, tensor = self.tensors[index]
            parts.append(self.part(index * self.each + kind))
            self._describe(manifest, path, tensor, parts[-1][2])
        return self.whole.changed(parts, manifest)

    def _tensor(self, tensor: Values, kind: int) -> Values:
        held = tensor.get("quantization", {})
        if kind == 0:
            return {name: value for name, value in tensor.items() if name != "quantization"}
        if kind <= len(QUANTIZATIONS):
            full = {"scale": (0.05,), "zero_point": (0,), **held}
            if not full["scale"]:
                full |= {"scale": (0.05,), "zero_point": (0,)}
            return {**tensor, "quantization": QUANTIZATIONS[kind - 1](full, tensor)}
        return {**tensor, "type": NUMBERS[self.TYPES[kind - 1 - len(QUANTIZATIONS)]]}

    def _describe(self, manifest: dict[str, Any], path: Path_, old: Values, new: Values) -> None:
        """The manifest says what the graph says, so that no disagreement is what is found."""
        graph = self.whole.model["subgraphs"][path[1]]
        entry = _entry(self.whole, manifest, path[1])
        dtypes = Counter(entry["dtypes"])
        dtypes[TYPES[old.get("type", 0)].upper()] -= 1
        dtypes[TYPES[new.get("type", 0)].upper()] += 1
        entry["dtypes"] = {dtype: count for dtype, count in dtypes.items() if count}
        for described in _described(self.whole, entry, graph, path[1], path[3]):
            described["dtype"] = TYPES[new.get("type", 0)]
            held = new.get("quantization", {})
            if held.get("scale") and held.get("zero_point"):
                described |= {"scale": held["scale"][0], "zero_point": held["zero_point"][0]}
            else:
                described.pop("scale", None)
                described.pop("zero_point", None)


def _entry(whole: EditableArtefact, manifest: dict[str, Any], subgraph: int) -> dict[str, Any]:
    """The manifest's entry of the signature that has this subgraph."""
    key = next(each["key"] for each in whole.model["signatures"] if each.get("subgraph", 0) == subgraph).decode()
    return next(each for each in manifest["signatures"] if each["name"] == key)


def _described(
    whole: EditableArtefact, entry: dict[str, Any], graph: Values, subgraph: int, tensor: int
) -> Iterator[dict[str, Any]]:
    """What the manifest says of a tensor, where it is an input or an output."""
    signature = next(each for each in whole.model["signatures"] if each.get("subgraph", 0) == subgraph)
    for part, entries in (("inputs", [entry["input"]]), ("outputs", entry["outputs"])):
        names = {each["name"].decode() for each in signature[part] if each.get("tensor", 0) == tensor}
        yield from (each for each in entries if each["name"] in names)


def stated(whole: EditableArtefact, parts: list[tuple[Path_, str, Values]], manifest: dict[str, Any]) -> bytes:
    """The changed file, whose manifest states what its graphs cost, where they can be counted at all."""
    content = whole.changed(parts, manifest)
    try:
        costs = verify_graphs(content)
    except DamagedError:
        return content
    for number, cost in enumerate(costs):
        entry = _entry(whole, manifest, number)
        entry["macs"] = {"linear": cost.linear_macs, "attention": cost.attention_macs}
        entry["cost"] = {field: getattr(cost, field) for field in StatedCost._fields}
    return whole.changed(parts, manifest)


class Shapes:
    """Every tensor's shape, with a manifest that agrees where it is an input or an output."""

    CHANGES: tuple[Callable[[tuple[int, ...]], tuple[int, ...]], ...] = (
        lambda shape: (),
        lambda shape: (1, *shape),
        lambda shape: shape[1:],
        lambda shape: shape[:-1],
        lambda shape: (*shape, 1),
        lambda shape: shape[::-1],
        lambda shape: (math.prod(shape),),
        lambda shape: (*shape[:-1], -1),
        lambda shape: (*shape[:-1], 0),
        lambda shape: tuple(2 * each for each in shape),
        lambda shape: (*shape[:-1], 2 * shape[-1]) if shape else (2,),
        lambda shape: (2, *shape[1:]),
        lambda shape: (*shape[:-1], 10**6),
        lambda shape: (2**31 - 1,) * len(shape),
        lambda shape: (1,) * len(shape),
        lambda shape: (1,) * 9,
    )

    def __init__(self, whole: EditableArtefact) -> None:
        self.whole = whole
        self.tensors = whole.tensors()

    def __len__(self) -> int:
        return len(self.tensors) * len(self.CHANGES)

    def part(self, number: int) -> tuple[Path_, str, Values]:
        """One changed tensor, without what the manifest says of it."""
        index, kind = divmod(number, len(self.CHANGES))
        path, tensor = self.tensors[index]
        shape = self.CHANGES[kind](tuple(tensor.get("shape", ())))
        both = {"shape": shape, "shape_signature": shape} if "shape_signature" in tensor else {"shape": shape}
        return path, "Tensor", {**tensor, **both}

    def damaged(self, number: int) -> bytes:
        path, _, new = self.part(number)
        shape = new["shape"]
        manifest = copy.deepcopy(self.whole.manifest)
        graph = self.whole.model["subgraphs"][path[1]]
        entry = _entry(self.whole, manifest, path[1])
        for described in _described(self.whole, entry, graph, path[1], path[3]):
            described["shape"] = list(shape)
            if described is entry["input"] and len(shape) == 4 and min(shape) > 0:
                side = shape[1] if shape[1] == shape[2] else f"{shape[2]}x{shape[1]}"
                entry |= {"resolution": side, "width": shape[2], "height": shape[1]}
        return stated(self.whole, [(path, "Tensor", new)], manifest)


class Manifests:
    """Every value of the manifest, one at a time: something odd in its place, or nothing."""

    ODD: tuple[Any, ...] = (
        None, True, False, 0, 1, -1, 2, 7, 255, 65536, 10**9, 2**31, 2**53 + 1, 2**63, 10**400, 0.5, -0.0, 1e-300,
        1e300, float("nan"), float("inf"), "", "x", "1", "32", "32x32", "1e5", "\ud800", "a\0b", "\x1b[31m",
        "x" * 70000, [], [[]], [1], [1, 1],
        [1, 32, 32, 3], [0, 0, 0], [-1], ["x"], [None], {}, {"x": 1}, {"": {}}, [{}],
    )  # fmt: skip

    def __init__(self, whole: EditableArtefact) -> None:
        self.whole = whole
        self.paths = list(self._paths(whole.manifest))

    def __len__(self) -> int:
        return len(self.paths) * (len(self.ODD) + 1)

    def _paths(self, value: Any, path: Path_ = ()) -> Iterator[Path_]:
        if path:
            yield path
        if isinstance(value, dict):
            for key in value:
                yield from self._paths(value[key], (*path, key))
        elif isinstance(value, list):
            for index in range(min(2, len(value))):
                yield from self._paths(value[index], (*path, index))

    def damaged(self, number: int) -> bytes:
        index, kind = divmod(number, len(self.ODD) + 1)
        manifest = copy.deepcopy(self.whole.manifest)
        *path, last = self.paths[index]
        place: Any = manifest
        for each in path:
            place = place[each]
        if kind < len(self.ODD):
            place[last] = self.ODD[kind]
        else:
            del place[last]
        if self.paths[index] != ("size_bytes",):
            return self.whole.changed((), manifest)
        text = json.dumps({**manifest, "size_bytes": self.ODD[kind] if kind < len(self.ODD) else None}).encode()
        return self.whole.changed((), text)


class Nesting:
    """Manifests that are nested without end, or are no JSON that anybody would write."""

    DEPTHS = (10, 100, 500, 900, 990, 1000, 1100, 5000, 20_000, 100_000, 1_000_000)
    OTHERS: tuple[Callable[[bytes], bytes], ...] = (
        lambda text: b"",
        lambda text: b"null",
        lambda text: b"[]",
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.decode().encode("utf-16"),
        lambda text: text + b"\0",
        lambda text: text + text,
        lambda text: text[:-1],
        lambda text: text.replace(b'"recipe"', b'"recipe": "x", "recipe"', 1),
        lambda text: text.replace(b'"tokens": ', b'"tokens": ' + b"9" * 5000, 1),
        lambda text: text.replace(b'"tokens": ', b'"tokens": 1e', 1),
        lambda text: text.replace(b'"recipe": "', b'"recipe": "\xff', 1),
        lambda text: text.replace(b'"labels": [', b'"labels": [' + b'"x",' * 200_000, 1),
    )

    def __init__(self, whole: EditableArtefact) -> None:
        self.whole = whole
        self.text = whole.described(whole.manifest)

    def __len__(self) -> int:
        return 4 * len(self.DEPTHS) + len(self.OTHERS)

    def damaged(self, number: int) -> bytes:
        if number >= 4 * len(self.DEPTHS):
            return self.whole.changed((), self.OTHERS[number - 4 * len(self.DEPTHS)](self.text))
        index, kind = divmod(number, 4)
        depth = self.DEPTHS[index]
        deep = b"[" * depth + b"]" * depth if kind % 2 else b'{"a":' * depth + b"1" + b"}" * depth
        if kind < 2:
            text = b'{"deep": ' + deep + b"," + self.text[1:]
        else:
            text = self.text.replace(b'"config": ', b'"config": ' + deep + b', "x": ', 1)
        return self.whole.changed((), text)


class Outside:
    """Constants behind the flatbuffer, as buffers with an offset and a size, right and wrong."""

    def __init__(self, whole: EditableArtefact) -> None:
        self.whole = whole
        self.buffers = [number for number, each in enumerate(whole.model["buffers"]) if each.get("data")]
        self.places = 14

    def __len__(self) -> int:
        return len(self.buffers) * self.places

    def damaged(self, number: int) -> bytes:
        index, kind = divmod(number, self.places)
        buffer = self.buffers[index]
        content = self.whole.model["buffers"][buffer]["data"]
        path = ("buffers", buffer)

        def made(offset: int, size: int, **more: Any) -> bytes:
            fields = {"offset": offset % 2**64, "size": size % 2**64, **more}
            return self.whole.changed([(path, "Buffer", fields)], None, content + bytes(64))

        end = len(made(2**40, 0)) - len(content) - 64  # where `content` begins
        size = len(content)
        return (
            lambda: made(end, size),
            lambda: made(end, size - 1),
            lambda: made(end, size + 1),
            lambda: made(end + 2, size),
            lambda: made(end + size + 60, size),
            lambda: made(end + size + 64, size),
            lambda: made(2**63, size),
            lambda: made(-16, size),
            lambda: made(end, -1),
            lambda: made(end, 2**63),
            lambda: made(0, size),
            lambda: made(1, size),
            lambda: made(end, size, data=content),
            lambda: made(16, size),
        )[kind]()


class Appended:
    """Bytes behind the file, with and without a seal, and lies about where it ends."""

    def __init__(self, whole: EditableArtefact) -> None:
        self.content = whole.changed()

    def __len__(self) -> int:
        return 200

    def damaged(self, number: int) -> bytes:
        draw = random.Random(number)
        content = self.content
        if number % 2:
            content = content.replace(b'"sealed": false', b'"sealed": true ', 1)
        behind = draw.randbytes(draw.choice((1, 3, 16, 143, 144, 145, 4096)))
        if draw.random() < 0.5:
            behind = MAGIC + behind
        if draw.random() < 0.7:
            size = draw.choice((0, 7, 8, 100, len(content) // 2, len(content) - 1, len(content), len(content) + 1,
                                len(content) + len(behind), 2**31, 2**53))  # fmt: skip
            at = content.rfind(SIZE_PLACE) + len(SIZE_PLACE)
            content = content[:at] + b"%*d" % (SIZE_DIGITS, size) + content[at + SIZE_DIGITS :]
        return content + behind


class Costs:
    """Graphs that ask for more than anybody should give, whose manifest states just that; and manifests that lie."""

    def __init__(self, whole: EditableArtefact) -> None:
        self.whole = whole
        self.kinds: tuple[Callable[[random.Random], bytes], ...] = (
            self._stated, self._repeated, self._padded, self._broadcast, self._pooled, self._product,
        )  # fmt: skip

    def __len__(self) -> int:
        return 60 * len(self.kinds)

    def damaged(self, number: int) -> bytes:
        return self.kinds[number % len(self.kinds)](random.Random(number))

    def _stated(self, draw: random.Random) -> bytes:
        manifest = copy.deepcopy(self.whole.manifest)
        entry = draw.choice(manifest["signatures"])
        part = draw.choice(("macs", "cost"))
        key = draw.choice(sorted(entry[part]))
        entry[part][key] = draw.choice((0, entry[part][key] + 1, entry[part][key] * 2, 2**52))
        return self.whole.changed((), manifest)

    def _with_chain(self, tensors: list[Values], operators: list[tuple[int, Values]], buffers: list[bytes]) -> bytes:
        """tensors: numbered behind those there are; buffers likewise; operators: (code, values)."""
        model = copy.deepcopy(self.whole.model)
        graph = model["subgraphs"][0]
        codes = [max(each.get("short_code", 0), each.get("code", 0)) for each in model["codes"]]
        first = len(graph["tensors"])
        graph["tensors"] += tensors
        for each in tensors:
            if "buffer" in each:
                each["buffer"] += len(model["buffers"])
        model["buffers"] += [{"data": each} for each in buffers]
        for code, values in operators:
            if code not in codes:
                codes.append(code)
                model["codes"].append({"short_code": min(code, 127), "code": code, "version": 1})
            for part in ("inputs", "outputs"):
                values[part] = tuple(each if each >= 0 else first - 1 - each for each in values[part])
            graph["operators"].append({"opcode": codes.index(code), **values})
        manifest = copy.deepcopy(self.whole.manifest)
        for _ in range(2):  # once more, with what it costs
            model["buffers"][self.whole._buffer] = {"data": self.whole.described(manifest)}
            content = EditableArtefact.written(model)
            try:
                costs = verify_graphs(content)
            except DamagedError:
                break
            for number, cost in enumerate(costs):
                entry = _entry(self.whole, manifest, number)
                entry["macs"] = {"linear": cost.linear_macs, "attention": cost.attention_macs}
                entry["cost"] = {field: getattr(cost, field) for field in StatedCost._fields}
            entry = _entry(self.whole, manifest, 0)
            entry["ops"] = len(graph["operators"])
            entry["dtypes"] = dict(Counter(TYPES[each.get("type", 0)].upper() for each in graph["tensors"]))
        return content

    # A place below 0 is a new tensor: -1 the first.
    def _repeated(self, draw: random.Random) -> bytes:
        """The same weights, read over and over."""
        rows, columns, count = 64, 512, draw.choice((10, 1000, 4000))
        weights = struct.pack(f"<{rows * columns}f", *(0.01,) * (rows * columns))
        tensors: list[Values] = [
            {"shape": (1, columns), "buffer": 0}, {"shape": (rows, columns), "buffer": 1},
            *({"shape": (1, rows)} for _ in range(count)),
        ]  # fmt: skip
        options = {"options_type": 8, "options_at": ("FullyConnected", {})}
        operators = [(9, {"inputs": (-1, -2), "outputs": (-3 - each,), **options}) for each in range(count)]
        return self._with_chain(tensors, operators, [bytes(4 * columns), weights])

    def _padded(self, draw: random.Random) -> bytes:
        tensors: list[Values] = [{"shape": (1, 1, 1, 1), "buffer": 0}, {"shape": (4, 2), "type": 2, "buffer": 1}]
        operators: list[tuple[int, Values]] = []
        amounts, side = draw.choice((100, 500, 1024)), 1
        for step in range(draw.choice((1, 3, 8, 20))):
            side += 2 * amounts
            tensors.append({"shape": (1, side, side, 1)})
            places: Values = {"inputs": (-1 if step == 0 else -2 - step, -2), "outputs": (-3 - step,)}
            operators.append((34, {**places, "options_type": 22, "options_at": ("None", {})}))
        pads = struct.pack("<8i", 0, 0, amounts, amounts, amounts, amounts, 0, 0)
        return self._with_chain(tensors, operators, [bytes(4), pads])

    def _broadcast(self, draw: random.Random) -> bytes:
        side = draw.choice((1000, 8000, 16_000))
        shape = (1, side, side, 1)
        tensors: list[Values] = [{"shape": (1, side, 1, 1), "buffer": 0}, {"shape": (1, 1, side, 1), "buffer": 1}]
        operators = []
        options = {"options_type": 11, "options_at": ("Fused", {})}
        for step in range(draw.choice((1, 4, 30))):
            tensors.append({"shape": shape})
            source = -1 if step == 0 else -2 - step
            operators.append((0, {"inputs": (source, -2), "outputs": (-3 - step,), **options}))
        return self._with_chain(tensors, operators, [bytes(4 * side), bytes(4 * side)])

    def _pooled(self, draw: random.Random) -> bytes:
        side, window = draw.choice((100, 400)), draw.choice((3, 100, 400))
        tensors: list[Values] = [{"shape": (1, side, side, 1), "buffer": 0}]
        options = {"padding": 0, "stride_w": 1, "stride_h": 1, "filter_width": window, "filter_height": window}
        operators = []
        for step in range(draw.choice((1, 5))):
            tensors.append({"shape": (1, side, side, 1)})
            places: Values = {"inputs": (-1 - step,), "outputs": (-2 - step,)}
            operators.append((1, {**places, "options_type": 5, "options_at": ("Pool2D", options)}))
        return self._with_chain(tensors, operators, [bytes(4 * side * side)])

    def _product(self, draw: random.Random) -> bytes:
        rows, inner = draw.choice((1000, 5000)), draw.choice((4, 64))
        tensors: list[Values] = [{"shape": (rows, inner), "buffer": 0}]
        options = {"options_type": 101, "options_at": ("BatchMatMul", {"adjoint_y": 1})}
        operators = [(126, {"inputs": (-1, -1), "outputs": (-2,), **options})]
        tensors.append({"shape": (rows, rows)})
        for step in range(draw.choice((0, 2, 20))):
            tensors.append({"shape": (rows, rows)})
            operators.append((126, {"inputs": (-2 - step, -2 - step), "outputs": (-3 - step,), **options}))
        return self._with_chain(tensors, operators, [bytes(4 * rows * inner)])


KINDS: dict[str, Callable[[EditableArtefact], Any]] = {
    "quantization": Quantization,
    "shapes": Shapes,
    "manifest": Manifests,
    "nesting": Nesting,
    "outside": Outside,
    "appended": Appended,
    "cost": Costs,
}
"""Each makes damage of one kind of an artefact."""
