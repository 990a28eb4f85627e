"""Cycles of single operators on each processor, counted once and kept under build/: a run may be stopped."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arm.counting import blocks_of, in_python
from arm.operators import SingleOperators, idle_file
from arm.pipeline import Pipeline
from edgevit.latency.processors.graph_operators import GraphOperator
from record import BUILD

BATCH = 24
"""So many operators are counted in one process of the emulated system, whose start takes seconds."""


@dataclass(frozen=True)
class CountedOperator:
    operator: GraphOperator
    cycles: int
    """Of one call inside a graph: what calling a graph takes by itself is taken off."""


class OperatorCounts:
    """Of one processor."""

    def __init__(self, root: Path, processor: str) -> None:
        self.root, self.processor = root, processor
        self._path = BUILD / f"arm-operators-{processor}.json"
        self._kept: dict[str, int] = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._pipeline = Pipeline(processor)

    def count(self, several: Sequence[SingleOperators]) -> None:
        """Whatever of these was not counted yet."""
        wanted = {name(key): (each, key) for each in several for key in each.operators}
        missing = [entry for entry in wanted.items() if entry[0] not in self._kept]
        done = 0
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            with tempfile.TemporaryDirectory(dir=BUILD) as folder:
                files = [Path(folder) / f"{number}.tflite" for number in range(len(batch) + 1)]
                idle_file(files[0])
                for file, (_, (each, key)) in zip(files[1:], batch, strict=True):
                    each.write(key, file)
                counted = blocks_of(self.root, self.processor, in_python(self.root, "guest.py", *files))
            idle, *cycles = (self._pipeline.estimated(each)["cycles"] for each in counted)
            for (digest, _), count in zip(batch, cycles, strict=True):
                self._kept[digest] = max(0, count - idle)
            self._path.write_text(json.dumps(self._kept, indent=0))
            done += len(batch)
            print(f"{self.processor}: {done} of {len(missing)} operators", flush=True)

    def of(self, several: Sequence[SingleOperators]) -> Iterator[CountedOperator]:
        """Each kind of operator of these once."""
        seen = set()
        for each in several:
            for key, operator in each.operators.items():
                if name(key) not in seen:
                    seen.add(name(key))
                    yield CountedOperator(operator, self._kept[name(key)])

    def whole(self, each: SingleOperators) -> int:
        """The sum over all operators of a graph."""
        return sum(times * self._kept[name(key)] for key, times in each.times.items())


def name(key: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:16]
