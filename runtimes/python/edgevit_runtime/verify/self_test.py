"""Does the interpreter on this device compute what the artefact's author saw?

Each signature's manifest entry names a few pictures (a generator and seeds) and what the model answers to them.
Interpreters that compute wrongly exist: see `engines.installed.litert_version`.

Where a recipe rounds activations, no two kinds of processor answer alike: a last bit of a float decides here and there
how a value is rounded, and everything behind follows. So a picture is shown in several copies that differ by single
steps of single blocks, which rounds anew each time, and their answers are averaged. What is left of the noise is in the
manifest as the author measured it, and the test asks how many times as large this device's difference is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.json_values import LARGEST, items, number, text, whole
from edgevit_runtime.resolution import ResolutionLike, as_resolution

Array = np.ndarray[Any, Any]
OutputsOf = Callable[[Array], Mapping[str, Array]]
"""A picture, uint8 [H, W, 3] -> the signature's outputs as float32, without their batch axis."""

GENERATOR = "blocks/1"
BLOCKS = 16
FACTOR, STEP = 1664525, 1013904223
"""A and C of the generator: Knuth and Lewis, in Press et al., Numerical Recipes, section 7.1."""
FLIPS = 16
"""Of 256: how many of a copy's values differ from the picture's by a step."""

STATISTIC = "noise-ratio/1"
SMALLEST = 1e-30
"""What a logarithm sees at the least: processors differ in what they do with smaller floats."""
MAX_PICTURES, MAX_COPIES, MAX_VALUES = 16, 64, 4096
"""Of an entry; a manifest may come from anybody, and must not keep a device busy."""


class Expected(NamedTuple):
    """One picture, and some numbers of one output for it: the mean over its copies.

    indices: into the flattened output; values: what is expected there, as `READINGS[reading]` makes it.
    noise: how far (root mean square) rounding alone may put a sound device from that.
    """

    seed: int
    output: str
    reading: str
    noise: float
    indices: tuple[int, ...]
    values: tuple[float, ...]


class SelfTest(NamedTuple):
    """A signature's entry. A device passes where its statistic is `tolerance` at most."""

    generator: str
    statistic: str
    copies: int
    pictures: tuple[Expected, ...]
    tolerance: float


class SignatureCheck(NamedTuple):
    """One signature's result: how many times as large as the noise the difference is, and what it may be."""

    name: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance  # which NaN never is


class SelfTestResult(NamedTuple):
    checks: tuple[SignatureCheck, ...]
    backend: str
    version: str

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """`error` is null where an output was no number."""
        return {
            "schema": "edgevit.self-test/2",
            "passed": self.passed,
            "signatures": [
                {
                    "name": check.name,
                    "error": check.error if math.isfinite(check.error) else None,
                    "tolerance": check.tolerance,
                    "passed": check.passed,
                }
                for check in self.checks
            ],
            "backend": self.backend,
            "version": self.version,
        }


def _raw(values: Array) -> Array:
    return values


def _centred(values: Array) -> Array:
    centred: Array = values - values.mean()
    return centred


def _log(values: Array) -> Array:
    logs: Array = np.log(np.maximum(values, SMALLEST))  # NaN stays NaN
    return logs


def _centred_log(values: Array) -> Array:
    return _centred(_log(values))


def _log_odds(values: Array) -> Array:
    return _log(values) - _log(1.0 - values)


READINGS: dict[str, Callable[[Array], Array]] = {
    "raw": _raw,
    "centred": _centred,
    "centred-log": _centred_log,
    "log-odds": _log_odds,
}
"""How an output's chosen numbers are read before they are compared, in float64: as they are (tokens, boxes); less their
mean (logits, of which a softmax sees no more); softmax scores back as centred logits; sigmoids back as logits."""


def parse_self_test(raw: Mapping[str, Any], sizes: Mapping[str, int]) -> SelfTest:
    """A manifest's entry. sizes: how many numbers each output of the signature has.

    Raises `ValueError`, `KeyError`, `TypeError` or `OverflowError` for what is none.
    """
    entry = SelfTest(
        generator=text(raw, "generator"),
        statistic=text(raw, "statistic"),
        copies=whole(raw, "copies"),
        pictures=tuple(_parse_picture(each, sizes) for each in items(raw, "pictures")),
        tolerance=number(raw, "tolerance"),
    )
    if not 1 <= entry.copies <= MAX_COPIES:
        raise ValueError(f"a self-test of {entry.copies} copies")
    if not 1 <= len(entry.pictures) <= MAX_PICTURES:
        raise ValueError(f"a self-test of {len(entry.pictures)} pictures")
    if not 0.0 < entry.tolerance < math.inf:
        raise ValueError(f"a self-test with a tolerance of {entry.tolerance}")
    return entry


def _parse_picture(raw: Mapping[str, Any], sizes: Mapping[str, int]) -> Expected:
    picture = Expected(
        seed=whole(raw, "seed", -LARGEST),
        output=text(raw, "output"),
        reading=text(raw, "reading"),
        noise=number(raw, "noise"),
        indices=tuple(whole({"indices": each}, "indices", -LARGEST) for each in items(raw, "indices")),
        values=tuple(number({"values": each}, "values") for each in items(raw, "values")),
    )
    if not 0 <= picture.seed < 2**32:
        raise ValueError(f"a self-test with the seed {picture.seed}")
    if picture.output not in sizes:
        raise ValueError(f"a self-test of an output {picture.output!r} that is not there")
    if not 1 <= len(picture.indices) == len(picture.values) <= MAX_VALUES:
        raise ValueError(f"a self-test of {len(picture.values)} values at {len(picture.indices)} indices")
    if min(picture.indices) < 0 or max(picture.indices) >= sizes[picture.output]:
        raise ValueError(f"a self-test of numbers that its output {picture.output!r} does not have")
    if not (0.0 < picture.noise < math.inf and all(map(math.isfinite, picture.values))):
        raise ValueError("a self-test with a value or noise that is no number")
    return picture


def check(
    name: str, test: SelfTest, resolution: ResolutionLike, outputs_of: OutputsOf, *, quick: bool
) -> SignatureCheck:
    """Runs a signature's test. quick: one copy of each picture, which rounding puts that much further off.

    Raises `ArtefactError` where this runtime does not know the entry's generator, statistic or readings.
    """
    if test.statistic != STATISTIC:
        raise _unknown("statistic", test.statistic)
    for picture in test.pictures:
        if picture.reading not in READINGS:
            raise _unknown("reading", picture.reading)
    copies = 1 if quick else test.copies
    means: dict[int, list[Array]] = {}  # by the picture's place in the test
    for seed in dict.fromkeys(picture.seed for picture in test.pictures):
        asked = [(place, picture) for place, picture in enumerate(test.pictures) if picture.seed == seed]
        for copy in range(copies):
            outputs = outputs_of(draw_picture(test.generator, seed, resolution, copy))
            for place, picture in asked:
                means.setdefault(place, []).append(read(outputs[picture.output], picture.indices, picture.reading))
    shares = [
        root_mean_square(np.mean(means[place], axis=0) - picture.values) / picture.noise
        for place, picture in enumerate(test.pictures)
    ]
    return SignatureCheck(name, root_mean_square(shares), test.tolerance * math.sqrt(test.copies / copies))


def read(output: Array, indices: Sequence[int], reading: str) -> Array:
    """An output's numbers at these indices, float64 [len(indices)], as `reading` says."""
    with np.errstate(all="ignore"):  # what is no number fails the test, and needs no warning
        return READINGS[reading](output.reshape(-1)[list(indices)].astype(np.float64))


def root_mean_square(values: Any) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


def draw_picture(generator: str, seed: int, resolution: ResolutionLike, copy: int = 0) -> Array:
    """uint8 [H, W, 3] of 16 x 16 coloured blocks; integers only, so equal on every platform.

    `blocks/1`: state = seed; a draw is state = (state * 1664525 + 1013904223) mod 2³², and its value is the top 8 bits.
    The first 768 are the 16 x 16 x 3 values of copy 0, row by row. Of copy c the lowest bit of value k is flipped where
    draw 768 c + k is below 16. Pixel (y, x) shows block (16 y // H, 16 x // W).
    """
    if generator != GENERATOR:
        raise _unknown("generator", generator)
    place, count = as_resolution(resolution), BLOCKS * BLOCKS * 3
    values = _draws(seed, 0, count)
    if copy:
        values ^= (_draws(seed, count * copy, count) < FLIPS).astype(np.uint8)
    rows, columns = (np.arange(side) * BLOCKS // side for side in (place.height, place.width))
    # A test draws hundreds: `take` is five times as quick as two indices.
    return values.reshape(-1, 3).take(BLOCKS * rows[:, None] + columns, axis=0)


def _draws(seed: int, start: int, count: int) -> Array:
    """uint8 [count]: the draws from `start` on, without drawing those before.

    After k steps state = A^k seed + C (1 + A + ... + A^(k-1)), where uint32 counts modulo 2³² by itself.
    """
    power, total = 1, 0  # A^start, and the sum before it, by squaring: of 2k steps from k
    for bit in f"{start:b}":
        power, total = power * power % 2**32, (total + power * total) % 2**32
        if bit == "1":
            power, total = power * FACTOR % 2**32, (total * FACTOR + 1) % 2**32
    state = (power * seed + STEP * total) % 2**32
    powers, totals = _steps(count)
    states: Array = powers * np.uint32(state) + totals * np.uint32(STEP)
    return (states >> np.uint32(24)).astype(np.uint8)


@lru_cache(maxsize=1)
def _steps(count: int) -> tuple[Array, Array]:
    """uint32 [count] each: A^k, and the sum before it, from k = 1 on. Every picture has the same."""
    powers: Array = np.multiply.accumulate(np.full(count, FACTOR, np.uint32))
    totals: Array = np.add.accumulate(np.concatenate([np.ones(1, np.uint32), powers[:-1]]), dtype=np.uint32)
    return powers, totals


def _unknown(what: str, name: str) -> ArtefactError:
    return ArtefactError(f"its self-test wants the {what} {name!r}, which this runtime does not have: upgrade it")
