"""Does the interpreter on this device compute what the artefact's author saw?

Each signature's manifest entry names a picture (a generator and a seed) and the scores that the reference kernels
gave for it. Interpreters that compute wrongly exist: see `engines.interpreters.litert_version`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class TestPicture(NamedTuple):
    """One picture of a self-test: its seed, and some numbers of one output as the reference kernels gave them."""

    seed: int
    output: str
    indices: tuple[int, ...]
    values: tuple[float, ...]


class SelfTest(NamedTuple):
    generator: str
    pictures: tuple[TestPicture, ...]
    statistic: str
    tolerance: float


def read_self_test(raw: Mapping[str, Any]) -> SelfTest:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    pictures = tuple(
        TestPicture(
            seed=int(each["seed"]),
            output=str(each["output"]),
            indices=tuple(map(int, each["indices"])),
            values=tuple(map(float, each["values"])),
        )
        for each in raw["pictures"]
    )
    if not pictures or any(len(each.indices) != len(each.values) for each in pictures):
        raise ValueError("a self-test without pictures, or with other values than indices")
    return SelfTest(str(raw["generator"]), pictures, str(raw["statistic"]), float(raw["tolerance"]))


def check(
    signature: Any, run: Callable[[np.ndarray[Any, Any]], Mapping[str, np.ndarray[Any, Any]]], *, quick: bool = False
) -> SignatureCheck:
    """Replays a signature's self-test. run: a prepared picture -> its outputs. quick: its first picture alone."""
    test, worst = signature.self_test, 0.0
    for picture in test.pictures[:1] if quick else test.pictures:
        found = run(draw_picture(test.generator, picture.seed, signature.resolution))[picture.output].ravel()
        error = float(np.max(np.abs(found[list(picture.indices)] - np.array(picture.values, np.float32))))
        worst = max(worst, error) if error == error else 1e30  # a NaN compares false with everything
    return SignatureCheck(signature.name, worst, test.tolerance)


def draw_picture(generator: str, seed: int, resolution: ResolutionLike) -> np.ndarray[Any, Any]:
    """uint8 [height, width, 3] of 16 x 16 coloured blocks; integers only, so equal on every platform.

    `blocks/1`: state = seed; for each of the 16 x 16 x 3 values, row by row, state = (state * 1664525 + 1013904223)
    mod 2³² and the value is its top 8 bits; pixel (y, x) shows block (16 y // height, 16 x // width).
    """
    if generator != GENERATOR:
        raise ArtefactError(
            f"its self-test wants the generator {generator!r}, which this runtime does not have: upgrade it"
        )
    resolution, state, values = as_resolution(resolution), seed, []
    for _ in range(BLOCKS * BLOCKS * 3):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(state >> 24)
    blocks = np.array(values, np.uint8).reshape(BLOCKS, BLOCKS, 3)
    rows, columns = (np.arange(side) * BLOCKS // side for side in (resolution.height, resolution.width))
    return np.ascontiguousarray(blocks[rows][:, columns])
