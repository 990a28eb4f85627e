"""Several artefacts on one device, in turns: a slow minute must not fall on one of them alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from edgevit.devices.profile_request import ProfileRequest
from edgevit.errors import ConfigError
from edgevit.latency.comparison import apart
from edgevit.latency.measurement import measure
from edgevit.latency.measuring_conditions import Conditions, Cooling
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit_runtime.measure.conditions import COOL_DOWN_SECONDS
from edgevit_runtime.measure.profile import SECONDS

__all__ = ["ROUNDS", "measure_together"]

ROUNDS = 3
"""Each artefact gets a process of its own so many times; odd, so that one bad round is outvoted."""


def measure_together(
    artefacts: Sequence[Path],
    request: ProfileRequest,
    *,
    device: str = "local",
    benchmark_model: Path | None = None,
    on_step: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
) -> tuple[Profile, ...]:
    """A profile of each artefact and number of threads, measured a round after another.

    Each point is the median of its rounds. `request.duration_s` and `request.cool_down_s` are for all of them together,
    and shared out.

    Raises `ConfigError` for what is asked of one artefact only, a sustained run.
    """
    if request.sustained_s is not None:
        raise ConfigError("a sustained run heats the device for what comes after: ask it of one artefact at a time")
    seconds = SECONDS if request.seconds is None else request.seconds  # over all rounds, as for one artefact alone
    turns = ROUNDS * len(artefacts)
    cool_down = request.cool_down_s
    if cool_down is None and benchmark_model is None:  # which cannot wait
        cool_down = COOL_DOWN_SECONDS
    share = replace(
        request,
        seconds=seconds / ROUNDS,
        duration_s=request.duration_s and request.duration_s / turns,
        cool_down_s=cool_down and cool_down / turns,
    )
    rounds: list[list[Profile]] = [[] for _ in artefacts]
    for turn in range(ROUNDS):
        for index, artefact in enumerate(artefacts):
            on_step(artefact.name, turn * len(artefacts) + index, turns)
            rounds[index].append(measure(artefact, share, device=device, benchmark_model=benchmark_model))
    series = [zip(*(apart(each) for each in profiles), strict=True) for profiles in rounds]
    return tuple(_merged(profiles) for each in series for profiles in each)


def _merged(rounds: Sequence[Profile]) -> Profile:
    """One profile out of several of the same artefact; everything but points and pauses is the last one's."""
    points = tuple(_point([each.points[index] for each in rounds]) for index in range(len(rounds[0].points)))
    pauses = [each.cooling for each in rounds if each.cooling]
    cooling = Cooling.of_rounds(pauses) if pauses else None
    return replace(rounds[-1], points=points, cooling=cooling).fitted()


def _point(rounds: Sequence[Point]) -> Point:
    """The medians of the rounds' medians and tenths keep their order; it is stable where most rounds were.

    Doubtful is what any round gave reason for.
    """
    peaks = [point.peak_rss_bytes for point in rounds if point.peak_rss_bytes is not None]
    conditions = [point.conditions for point in rounds if point.conditions]
    ops = [point.ops_ms for point in rounds if point.ops_ms]
    late = [point.p95_ms for point in rounds if point.p95_ms is not None]
    return replace(
        rounds[-1],
        median_ms=median(point.median_ms for point in rounds),
        p10_ms=median(point.p10_ms for point in rounds),
        p90_ms=median(point.p90_ms for point in rounds),
        p95_ms=median(late) if len(late) == len(rounds) else None,
        runs=sum(point.runs for point in rounds),
        stable=2 * sum(point.stable for point in rounds) > len(rounds),
        peak_rss_bytes=max(peaks, default=None),
        doubtful=tuple(dict.fromkeys(doubt for point in rounds for doubt in point.doubtful)),
        conditions=Conditions.of_rounds(conditions) if conditions else None,
        ops_ms={part: median(each[part] for each in ops if part in each) for part in ops[-1]} if ops else None,
    )
