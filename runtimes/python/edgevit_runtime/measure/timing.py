"""The timing loop, the same on host and device: medians that hold on a machine that does other things too.

The resolutions are measured in turn, in short bursts, round after round, so that a slow minute falls on all of them
and bends no curve. A burst's first run is not counted: it pays for the other resolutions' use of the caches.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edgevit_runtime.resolution import Resolution

if TYPE_CHECKING:
    from edgevit_runtime.measure.conditions import Watch

Key = TypeVar("Key", int, Resolution, "tuple[int, Resolution]")

BURST_SECONDS = 0.04
MIN_ROUNDS = 12
"""A median from one burst knows one moment of the machine only: so many rounds there are at least."""
MIN_RUNS = 20
STABLE = 0.02
"""The halves of a resolution's runs agree to this in their medians before it counts as measured."""


@dataclass(frozen=True)
class Latency:
    """What the runs of one resolution took, in milliseconds."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    p95_ms: float
    runs: int
    stable: bool


def measure(
    calls: Mapping[Key, Callable[[], object]],
    *,
    seconds: float,
    total_seconds: float = float("inf"),
    clock: Callable[[], float] = time.perf_counter,
    on_round: Callable[[float], None] | None = None,
    watch: Watch | None = None,
) -> dict[Key, Latency]:
    """Times the calls until all medians are stable, or for at most `seconds` each and `total_seconds` together.

    All of them take part in each round to the end, so that a device which becomes slower becomes it for all alike.
    Only what needs more than `seconds` for a few rounds leaves early.

    `on_round` is told the share of the work that is done, 0 to 1. `watch` looks at the device before and after each
    burst, outside of what is timed: it may pause, and refuse a burst.
    """
    begun = clock()
    runs: dict[Key, list[float]] = {key: [] for key in calls}
    spent: dict[Key, float] = dict.fromkeys(calls, 0.0)
    burst = {key: _warm_up(call, clock) for key, call in calls.items()}
    open_keys = set(calls)
    rounds = 0
    while open_keys:
        rounds += 1
        for key in sorted(open_keys):
            left_s = total_seconds - (clock() - begun)
            if left_s <= 0 and runs[key]:  # one burst there is of each
                continue
            if watch:
                watch.before()
            start = clock()
            calls[key]()
            fresh = []
            for _ in range(burst[key]):
                before = clock()
                calls[key]()
                fresh.append((clock() - before) * 1e3)
            took = clock() - start
            if watch and not watch.after(key, at_most_s=max(0.0, total_seconds - (clock() - begun))):
                continue
            runs[key] += fresh
            spent[key] += took
        over = clock() - begun >= total_seconds
        used_up = {key for key in open_keys if spent[key] >= seconds}
        if over or (rounds >= MIN_ROUNDS and (used_up or all(_is_stable(runs[key]) for key in open_keys))):
            open_keys = {key for key in open_keys if not runs[key]}
        else:
            open_keys -= {key for key in used_up if runs[key]}
        if on_round:
            on_round(min(1.0, max(spent.values()) / seconds) if open_keys else 1.0)
    return {key: _summary(values) for key, values in runs.items()}


def medians_ms(
    calls: Mapping[Key, Callable[[], object]], *, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[Key, float]:
    """A quick look at each call, from the smallest key on, in turn: its median in ms, in about `seconds` together.

    When the time is over before the larger ones were reached, they are left out.
    """
    runs: dict[Key, list[float]] = {}
    begun = clock()
    while clock() - begun < seconds:
        for key in sorted(calls):
            if key not in runs:
                if runs and clock() - begun >= seconds:
                    break
                calls[key]()  # packs and allocates
            start = clock()
            calls[key]()
            runs.setdefault(key, []).append((clock() - start) * 1e3)
            if clock() - begun >= 2 * seconds:
                break
    return {key: statistics.median(values) for key, values in runs.items()}


def _warm_up(call: Callable[[], object], clock: Callable[[], float]) -> int:
    """Runs at least three times; returns how many runs fill a burst."""
    fastest = float("inf")
    for _ in range(3):
        start = clock()
        call()
        fastest = min(fastest, clock() - start)
    return max(1, min(500, round(BURST_SECONDS / max(fastest, 1e-6))))


def _is_stable(values: list[float]) -> bool:
    if len(values) < MIN_RUNS:
        return False
    # Every other run, so that both halves saw the same stretch of time; then early against late, to see a drift.
    whole = statistics.median(values)
    middle = len(values) // 2
    halves = (values[::2], values[1::2], values[:middle], values[middle:])
    return all(abs(statistics.median(half) - whole) <= STABLE * whole for half in halves)


def _summary(values: list[float]) -> Latency:
    ordered = sorted(values)
    last = len(ordered) - 1
    return Latency(
        median_ms=statistics.median(ordered),
        p10_ms=ordered[round(0.1 * last)],
        p90_ms=ordered[round(0.9 * last)],
        p95_ms=ordered[round(0.95 * last)],
        runs=len(ordered),
        stable=_is_stable(values),
    )
