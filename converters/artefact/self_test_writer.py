"""What an artefact's self-test expects: the answers to a few pictures, and how far rounding alone moves them.

Reading and judging is the runtime's: `edgevit_runtime.verify.self_test`, which also says why pictures come in copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, Runner
from edgevit.errors import AuditError
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.verify.self_test import (
    GENERATOR,
    MAX_COPIES,
    MAX_PICTURES,
    SMALLEST,
    STATISTIC,
    draw_picture,
    read,
    root_mean_square,
)

CANDIDATES = range(1, 9)
"""Seeds of the pictures that are looked at."""
FEWEST_PICTURES, MOST_PICTURES = 2, 4
"""How many of them a test keeps: those whose answers are neither the surest nor the least sure. Where many tasks answer
in one pass, fewer: of each picture a test has an entry for each, and all together are `MAX_PICTURES` at most."""
ENOUGH_VALUES = 48
"""In all: of an output with few numbers more pictures are kept, since few numbers scatter more."""
WANTED_NOISE = 0.015
"""As a share of the values' spread. A device runs as many copies as bring the noise down to it: DeiT-Tiny's layers with
scales that are a tenth off move them by 0.03 and more (benchmarks/results/self_test.json)."""
FEWEST_COPIES, MOST_COPIES = 12, 32
"""Unless nothing rounds: then one is enough."""
AFFORDABLE_MACS, WANTED_WHERE_CHEAP = 4e9, 0.004
"""Where the most copies of all pictures cost no more than that (under a second of a Raspberry Pi 4), a device runs as
many as bring the noise down to that: in a small model a layer does less than in a large one."""
RUNS = 2
"""How many times as many are run by `convert` as on a device: the more, the less noise is in the expected values."""
QUICK_RUNS = 1
"""The same where it must be quick (`head_exchange`)."""
FIRST_RUNS = 4
"""So many tell how much noise there is."""
MOST_VALUES = 96
"""Of each picture's output; evenly spread, since the best classes say less of a damaged layer than any others."""
FLOOR = 0.003
"""Noise is never taken to be less than this share of the values' spread: hundreds of times what float kernels of
different processors differ by."""
DEVIATIONS = 5.0
"""How many standard deviations of its own the noise may be above its mean."""
LEAST_TOLERANCE = 1.3
"""No tolerance is below: processors differ a little in how much noise they have."""
GUARD = 6.0
"""How many times as large as one run's noise the difference to the reference kernels may be: those round hybrid layers
more coarsely than XNNPACK does, which is up to 3; a layer that is lost would be more."""

Numbers = NDArray[np.float64]
Pictures = dict[int, dict[str, NDArray[np.float32]]]
"""Seed -> outputs by name."""


def self_test_entry(
    flatbuffer: bytes, audited: RungAudit, recipe: str, compared: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """The manifest's self-test of one signature, a file of its own: see `measured_self_test`."""
    runner, exact = (Runner.of(flatbuffer, audited, reference=each) for each in (False, True))
    return measured_self_test(runner, exact, audited, recipe, compared)


def measured_self_test(
    runner: Runner,
    reference: Runner,
    audited: RungAudit,
    recipe: str,
    compared: Sequence[tuple[str, str]],
    runs: int = RUNS,
) -> dict[str, Any]:
    """The manifest's self-test of one signature.

    runner, reference: it on the default kernels and on the reference ones.
    compared: of each task that it answers, the output that is compared and how (`READINGS`): `Task.self_test`. All are
        read from the same pictures, so that several take no more inferences than one.
    runs: how many times as many copies of each picture are shown here as on a device.

    Raises `AuditError` where the default kernels differ from the reference ones by more than rounding explains, or
    where integer scores are too coarse for the model.
    """
    resolution = Resolution(audited.input.shape[2], audited.input.shape[1])
    first = {seed: runner.outputs(draw_picture(GENERATOR, seed, resolution)) for seed in CANDIDATES}
    readable = _readable(first, audited, recipe)
    for output, reading in compared:
        readable = _telling(readable, output, reading)
    most_pictures = min(MOST_PICTURES, max(1, MAX_PICTURES // len(compared)))
    kept = max((_middling(readable, output, most_pictures) for output, _ in compared), key=len)
    readings = {
        output: _Reading(reading, _indices([first[seed][output] for seed in kept], reading))
        for output, reading in compared
    }

    def answers(shown_runs: Sequence[int]) -> dict[str, Numbers]:  # by output, [pictures, runs, values]
        shown = [
            [runner.outputs(draw_picture(GENERATOR, seed, resolution, run)) for run in shown_runs] for seed in kept
        ]
        return {output: each.of([[run[output] for run in runs] for runs in shown]) for output, each in readings.items()}

    copies, tolerance = 1, LEAST_TOLERANCE
    if {"INT8", "INT4"} & set(audited.dtypes):
        seen = answers(range(FIRST_RUNS))
        cheap = audited.macs.total * len(kept) * MAX_COPIES <= AFFORDABLE_MACS
        wanted, most = (WANTED_WHERE_CHEAP, MAX_COPIES) if cheap else (WANTED_NOISE, MOST_COPIES)
        copies = max(_copies(each, wanted, most, runs) for each in seen.values())
        more = answers(range(FIRST_RUNS, runs * copies))
        seen = {output: np.concatenate([each, more[output]], axis=1) for output, each in seen.items()}
        noises = {output: np.maximum(_noise(each, copies), FLOOR * _spread(each)) for output, each in seen.items()}
        # Each output's share of the statistic stays below its own tolerance, all together below the largest.
        tolerance = max(tolerance, *(_tolerance(each, noises[output], copies) for output, each in seen.items()))
    else:
        seen = answers(range(1))
        noises = {output: FLOOR * _spread(each) for output, each in seen.items()}
    expected = {output: each.mean(axis=1) for output, each in seen.items()}
    exact = reference.outputs(draw_picture(GENERATOR, kept[0], resolution))
    for output, each in readings.items():
        error = root_mean_square(read(exact[output], each.indices[0], each.how) - expected[output][0])
        rounding = noises[output][0] * math.sqrt(copies)
        if not error <= GUARD * rounding:
            raise AuditError(
                f"this machine's LiteRT computes the recipe {recipe} otherwise than its own reference kernels: its "
                f"answers at {resolution} px are {error:.2g} off, {error / rounding:.1f} times what rounding "
                "explains; install another version of ai-edge-litert"
            )
    return {
        "generator": GENERATOR,
        "statistic": STATISTIC,
        "copies": copies,
        "tolerance": _short(tolerance),
        "pictures": [
            {
                "seed": seed,
                "output": output,
                "reading": each.how,
                "noise": _short(noises[output][place]),
                "indices": each.indices[place],
                "values": [_short(value) for value in expected[output][place]],
            }
            for output, each in readings.items()
            for place, seed in enumerate(kept)
        ],
    }


@dataclass(frozen=True)
class _Reading:
    """How one output is read: a key of `READINGS`, and of each picture which of its numbers."""

    how: str
    indices: list[list[int]]

    def of(self, shown: Sequence[Sequence[NDArray[Any]]]) -> Numbers:
        """The output of each picture's runs -> [pictures, runs, values]."""
        return np.array(
            [[read(run, places, self.how) for run in runs] for runs, places in zip(shown, self.indices, strict=True)]
        )


def _readable(first: Pictures, audited: RungAudit, recipe: str) -> Pictures:
    """Those with a score of two steps at least, where scores have any: below half a step the reference SOFTMAX ends
    the process, and a model that never has two knows nothing."""
    step = max((tensor.scale for tensor in audited.outputs if tensor.name == "scores"), default=0.0)
    if step == 0.0:
        return first
    readable = {
        seed: outputs for seed, outputs in first.items() if float(np.abs(outputs["scores"]).max()) >= 2.0 * step
    }
    if not readable:
        raise AuditError(
            f"the recipe {recipe} has scores in steps of 1/{1 / step:.0f}, and the model gives no class of any test "
            "picture two of them: train it, or choose a recipe with float scores, such as int8"
        )
    return readable


def _middling(first: Pictures, output: str, most: int) -> list[int]:
    """The seeds of the pictures in the middle, by how far apart the model's answers are."""
    ordered = sorted(first, key=lambda seed: float(np.std(first[seed][output])))
    wanted = math.ceil(ENOUGH_VALUES / first[ordered[0]][output].size)
    count = min(most, max(FEWEST_PICTURES, wanted))
    start = max(0, len(ordered) - count) // 2
    return sorted(ordered[start : start + count])


def _telling(first: Pictures, output: str, reading: str) -> Pictures:
    """The pictures of which most can be read, and as many more as are wanted at least: where a model is so sure that
    all scores but one are 0, nothing can be compared."""
    counts = {seed: len(_places(outputs[output], reading)) for seed, outputs in first.items()}
    enough = max(1, sorted(counts.values(), reverse=True)[:MOST_PICTURES][-1])
    found = {seed: outputs for seed, outputs in first.items() if counts[seed] >= enough}
    if not found:
        raise AuditError(f"the model's {output} are nothing that a self-test can read as {reading}")
    return found


def _indices(outputs: Sequence[NDArray[Any]], reading: str) -> list[list[int]]:
    """Of each picture as many, evenly spread over those that can be read."""
    places = [_places(each, reading) for each in outputs]
    count = min(MOST_VALUES, *map(len, places))
    if count == 1 and reading.startswith("centred"):  # which is 0, whatever is damaged
        raise AuditError(
            "the model is so sure of the test pictures that all scores but one are 0, and a self-test would see no "
            "damage: convert it with --logits, which it then reads"
        )
    return [[int(each[at]) for at in np.linspace(0, len(each) - 1, count).round().astype(int)] for each in places]


def _places(output: NDArray[Any], reading: str) -> NDArray[np.int64]:
    """Those that can be read: a score that is all but 0 (or 1) is not known well enough."""
    flat = output.reshape(-1).astype(np.float64)
    with np.errstate(all="ignore"):
        usable = np.ones(flat.size, bool)
        if reading in ("centred-log", "log-odds"):
            usable = flat > 1e6 * SMALLEST
        if reading == "log-odds":
            usable &= flat < 1.0 - 1e-3
    return np.flatnonzero(usable)


def _noise(seen: Numbers, copies: int) -> Numbers:
    """[pictures]: how far the mean over a device's copies is from the one over these runs, root mean square."""
    runs = seen.shape[1]
    variance = np.var(seen, axis=1, ddof=1).mean(axis=-1)
    return np.asarray(np.sqrt(variance * (1.0 / copies + 1.0 / runs)))


def _spread(seen: Numbers) -> Numbers:
    """[pictures]: root mean square of the expected values."""
    return np.asarray(np.maximum(np.sqrt(np.mean(seen.mean(axis=1) ** 2, axis=-1)), 1e-6))


def _copies(seen: Numbers, noise: float, most: int, runs: int) -> int:
    """How many a device needs to run, for that noise."""
    one = np.var(seen, axis=1, ddof=1).mean(axis=-1) / _spread(seen) ** 2
    wanted = float(one.mean()) * (1.0 + 1.0 / runs) / noise**2
    return min(most, max(FEWEST_COPIES, math.ceil(wanted)))


def _tolerance(seen: Numbers, noise: Numbers, copies: int) -> float:
    """What the test's statistic may be: its mean under noise alone, and so many deviations, as single runs have it."""
    runs = seen.shape[1]
    apart = np.mean((seen - seen.mean(axis=1, keepdims=True)) ** 2, axis=-1) * runs / (runs - 1)  # [pictures, runs]
    shares = np.mean(apart * (1.0 / copies + 1.0 / runs) / noise[:, None] ** 2, axis=0)  # [runs]
    return math.sqrt(float(shares.mean() + DEVIATIONS * shares.std(ddof=1)))


def _short(value: float) -> float:
    """To five digits, which are enough, and short in JSON."""
    return float(f"{value:.5g}")
