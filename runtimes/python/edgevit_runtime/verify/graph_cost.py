"""What a graph costs a device, counted from its operators: products, memory, bytes that go to and fro.

A small file can ask for any amount of each, so the manifest states them, and a verifier compares. Ours of a ViT come
to what `edgevit.latency.cost` says by formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.operand import Operand

ITEM_BYTES = {
    "float32": 4.0,
    "float16": 2.0,
    "int32": 4.0,
    "uint8": 1.0,
    "int64": 8.0,
    "bool": 1.0,
    "int16": 2.0,
    "int8": 1.0,
    "int4": 0.5,
}


class GraphCost(NamedTuple):
    """Of one inference.

    linear_macs: multiply-accumulates with weights; attention_macs: of two numbers that both depend on the picture;
    constant_macs: those that no pixel has a part in, such as resampled positions.
    live_bytes: the most that tensors take at once, each from where it is written to where it is last read.
    moved_bytes: what operators read and write in all; a pool reads each of its windows.
    constant_bytes: the constants that operators read, counted for each: kernels may keep a packed copy of every one.
    """

    linear_macs: int
    attention_macs: int
    constant_macs: int
    live_bytes: int
    moved_bytes: int
    constant_bytes: int

    @property
    def macs(self) -> int:
        return self.linear_macs + self.attention_macs + self.constant_macs


class Counter:
    """Counts while a graph's operators are gone through in order."""

    def __init__(self, tensors: Sequence[Operand], inputs: Iterable[int]) -> None:
        self._bytes = [size_bytes(each) for each in tensors]
        self._tensors = tensors
        self._depends = set(inputs)
        self._macs = {"linear": 0, "attention": 0, "constant": 0}
        self._moved = self._constants = 0
        self._steps = 0
        self._first = dict.fromkeys(self._depends, 0)
        self._last = dict(self._first)

    def add(self, name: str, options: Mapping[str, Any], inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """One operator whose tensors and shapes were found right."""
        self._steps += 1
        read = [index for index in inputs if index >= 0]
        depends = [index in self._depends for index in read]
        # Zero times a pixel says nothing of the picture: so resampled positions are kept where GPUs take them.
        if any(depends) and not (name == "MUL" and any(self._tensors[index].zero for index in read)):
            self._depends.update(outputs)
        count = _products(
            name, options, [self._tensors[index].shape for index in read], self._tensors[outputs[0]].shape
        )
        kind = "constant" if not any(depends) else "attention" if name == "BATCH_MATMUL" and all(depends) else "linear"
        self._macs[kind] += count
        windows = options.get("filter_width", 1) * options.get("filter_height", 1) if "POOL" in name else 0
        self._moved += sum(self._bytes[index] for index in (*read, *outputs)) + windows * self._bytes[outputs[0]]
        for index in read:
            if self._tensors[index].constant:
                self._constants += self._bytes[index]
            else:
                self._last[index] = self._steps
        for index in outputs:
            self._first[index] = self._last[index] = self._steps

    def total(self, outputs: Iterable[int]) -> GraphCost:
        """outputs: what is read after the last operator."""
        for index in outputs:
            self._last[index] = self._steps + 1
        change = [0] * (self._steps + 3)
        for index, step in self._first.items():
            change[step] += self._bytes[index]
            change[self._last[index] + 1] -= self._bytes[index]
        live = most = 0
        for each in change:
            live += each
            most = max(most, live)
        macs = self._macs
        return GraphCost(macs["linear"], macs["attention"], macs["constant"], most, self._moved, self._constants)


def size_bytes(operand: Operand) -> int:
    """What a tensor's numbers take."""
    return math.ceil(math.prod(operand.shape) * ITEM_BYTES[operand.dtype])


def _products(name: str, options: Mapping[str, Any], shapes: Sequence[Sequence[int]], result: Sequence[int]) -> int:
    if name in ("CONV_2D", "FULLY_CONNECTED"):
        return math.prod(result) * math.prod(shapes[1][1:])
    if name == "DEPTHWISE_CONV_2D":
        return math.prod(result) * math.prod(shapes[1][1:3])
    if name == "BATCH_MATMUL":
        return math.prod(result) * shapes[0][-2 if options.get("adjoint_x") else -1]
    return 0


MAX_MACS = 2**42
"""Of one inference: ViT-giant at 518 px takes 1.5e12."""
MAX_LIVE_BYTES = 2**30
"""Of all signatures together: each that was used keeps its memory."""
MOST = {
    # What a small file may ask for, and how much more for each of its bytes. DeiT-Tiny at 1024 px, in int4, is at
    # 25,000 MACs, 100 live and 2500 moved bytes a byte, and nothing larger of its kind is at as many.
    "macs": (2**28, 2**16),
    "live_bytes": (2**28, 2**8),
    "moved_bytes": (2**28, 2**13),
    "constant_bytes": (2**26, 2**6),
}


def check_bounds(costs: Sequence[GraphCost], file_bytes: int) -> None:
    """Whether a file of that size may cost that much, whatever its manifest states. Raises `DamagedError`."""
    for what, (least, factor) in MOST.items():
        most = max(getattr(each, what) for each in costs)
        bound = least + factor * file_bytes
        if most > bound:
            raise DamagedError(f"{most} {what} of an inference, where a file of its size may have {bound}")
    if max(each.macs for each in costs) > MAX_MACS:
        raise DamagedError(f"an inference of more than {MAX_MACS} multiply-accumulates")
    live = sum(each.live_bytes for each in costs)
    if live > min(MAX_LIVE_BYTES, MOST["live_bytes"][0] + MOST["live_bytes"][1] * file_bytes):
        raise DamagedError(f"inferences that take {live} bytes of memory")
