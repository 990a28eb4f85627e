"""Does the interpreter on this device compute what the artefact's author saw?

Each signature's manifest entry names a picture (a generator and a seed) and the scores that the reference kernels
gave for it. Interpreters that compute wrongly exist: see `backends.litert_version`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.resolution import ResolutionLike, as_resolution

GENERATOR = "blocks/1"
BLOCKS = 16


@dataclass(frozen=True)
class SignatureCheck:
    """One signature's result: the largest difference of a score, and what it may be."""

    name: str
    max_error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.max_error <= self.tolerance


@dataclass(frozen=True)
class SelfTestResult:
    checks: tuple[SignatureCheck, ...]
    backend: str
    version: str

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "edgevit.self-test/1",
            "passed": self.passed,
            "signatures": [
                {
                    "name": check.name,
                    "max_error": check.max_error,
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                }
                for check in self.checks
            ],
            "backend": self.backend,
            "version": self.version,
        }


def draw_picture(generator: str, seed: int, resolution: ResolutionLike) -> np.ndarray[Any, Any]:
    """uint8 [height, width, 3] of 16 x 16 coloured blocks; integers only, so equal on every platform.

    `blocks/1`: state = seed; for each of the 16 x 16 x 3 values, row by row, state = (state * 1664525 + 1013904223)
    mod 2³² and the value is its top 8 bits; pixel (y, x) shows block (16 y // height, 16 x // width).
    """
    if generator != GENERATOR:
        raise ArtefactError(
            f"its self-test wants the generator {generator!r}, which this runtime does not have: upgrade it"
        )
    state, values = seed, []
    for _ in range(BLOCKS * BLOCKS * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state >> 24)
    blocks = np.array(values, np.uint8).reshape(BLOCKS, BLOCKS, 3)
    size = as_resolution(resolution)
    rows = np.arange(size.height) * BLOCKS // size.height
    columns = np.arange(size.width) * BLOCKS // size.width
    return np.ascontiguousarray(blocks[rows][:, columns])
