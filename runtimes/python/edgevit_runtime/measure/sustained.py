"""One resolution without a pause: what is left of the speed when the device has become warm."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from edgevit_runtime.measure.conditions import Watch
from edgevit_runtime.measure.sensors import Reading, Sensors, throttled_names

LEAST_WINDOW_SECONDS = 0.5
MOST_WINDOWS = 240
"""A trace is for a picture: longer runs have longer windows."""
FIRST_SHARE, STEADY_SHARE = 0.05, 0.25
"""The first seconds, at least two of them, are held against this last share of the time."""
FIRST_SECONDS = 2.0
SLOWER = 1.05
"""So much above the first seconds' latency is slower."""


class Window(NamedTuple):
    """A stretch of the run: when it ended, its median latency, its runs, what the sensors said before it and after."""

    t_s: float
    ms: float
    runs: int
    before: Reading
    reading: Reading


def sustain(
    call: Callable[[], object],
    seconds: float,
    sensors: Sensors,
    *,
    clock: Callable[[], float] = time.perf_counter,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Runs `call` for `seconds` and sums it up, as JSON values.

    trace: each window's t_s, ms, temperature_c, mhz, throttled (what is known). first_ms, steady_ms: medians of the
    first and of the last windows. drop: the share of the speed that was lost between them, 0 to 1; below 0 where it
    became faster. slower_from_s: since when it was slower than at first by 5 % and stayed so, or None.
    conditions: of the whole run. doubtful: why the loss may not be the heat's, by what the sensors said in those
    first and last windows; that it became hot, slow and throttled is no doubt but what is looked for.
    """
    width_s = max(LEAST_WINDOW_SECONDS, seconds / MOST_WINDOWS)
    call()
    windows: list[Window] = []
    before_it = sensors.read()
    begun = clock()
    while clock() - begun < seconds:
        opened = clock()
        runs: list[float] = []
        while not runs or (clock() - opened < width_s and clock() - begun < seconds):
            before = clock()
            call()
            runs.append((clock() - before) * 1e3)
        ended_s, reading = clock() - begun, sensors.read()
        windows.append(Window(ended_s, statistics.median(runs), len(runs), before_it, reading))
        before_it = reading
        if on_progress:
            on_progress(min(1.0, windows[-1].t_s / seconds))
    first, steady = _ends(windows)
    return {
        **_summary(windows, first, steady),
        **_conditions(sensors, {"first": first, "steady": steady, "whole": windows}),
        "trace": [_sample(each, sensors) for each in windows],
    }


def _ends(windows: list[Window]) -> tuple[list[Window], list[Window]]:
    """The first windows and the last ones, which are held against each other."""
    end_s = windows[-1].t_s
    first = [each for each in windows if each.t_s <= max(FIRST_SECONDS, FIRST_SHARE * end_s)] or windows[:1]
    return first, [each for each in windows if each.t_s >= (1 - STEADY_SHARE) * end_s]


def _conditions(sensors: Sensors, parts: dict[str, list[Window]]) -> dict[str, Any]:
    watch = Watch(sensors)
    for part, windows in parts.items():
        for each in windows:
            watch.note(part, each.before, each.reading)
    # Not by the whole: what came for the last seconds alone makes the loss, and is little of the whole time.
    doubts = watch.disturbed("first", "steady")
    return {"conditions": watch.conditions("whole"), "doubtful": [each._asdict() for each in doubts]}


def _summary(windows: list[Window], first: list[Window], steady: list[Window]) -> dict[str, Any]:
    end_s = windows[-1].t_s
    first_ms = statistics.median(each.ms for each in first)
    steady_ms = statistics.median(each.ms for each in steady)
    quick = [place for place, each in enumerate(windows) if each.ms <= SLOWER * first_ms]
    slower = windows[quick[-1] + 1 :] if quick else windows
    return {
        "seconds": round(end_s, 2),
        "runs": sum(each.runs for each in windows),
        "first_ms": round(first_ms, 4),
        "steady_ms": round(steady_ms, 4),
        "drop": round(1 - first_ms / steady_ms, 4),
        # One slow window at the end is not yet a state.
        "slower_from_s": round(slower[0].t_s, 2) if len(slower) >= 3 else None,
    }


def _sample(window: Window, sensors: Sensors) -> dict[str, Any]:
    reading = window.reading
    throttled = None if reading.throttled is None else throttled_names(reading.throttled)
    if reading.slowed:
        throttled = [*(throttled or []), "slowed by the kernel"]
    known = {
        "temperature_c": reading.temperature_c,
        "mhz": sensors.clock_mhz(reading),
        "throttled": throttled or None,
    }
    return {
        "t_s": round(window.t_s, 2),
        "ms": round(window.ms, 4),
        **{name: value for name, value in known.items() if value is not None},
    }
