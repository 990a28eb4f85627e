"""PROVISIONAL until branch ssh has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str


class Device(Protocol):
    name: str

    def run(
        self, command: Sequence[str], *, timeout_s: float, stdin: bytes | None = None, check: bool = True
    ) -> Finished: ...

    def put(self, source: Path, target: str) -> None: ...

    def get(self, source: str, target: Path) -> None: ...
