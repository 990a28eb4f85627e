"""Under which conditions a point was measured: keeps the device cool while it is, and says what makes it doubtful."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from edgevit_runtime.measure.processors import as_ranges
from edgevit_runtime.measure.sensors import (
    CAPPED,
    SOFT_LIMIT,
    THROTTLED,
    UNDER_VOLTAGE,
    Reading,
    Sensors,
    throttled_names,
)

REASONS = {
    # A governor that holds the clock down (powersave, userspace); intel_pstate's powersave does not.
    "governor": "the governor held the clock down",
    # Mostly below the best that was seen on as many threads, or capped below the processor's own.
    "clock": "the clock was lower than it can be",
    # By the firmware, the kernel or the processor.
    "throttled": "the device throttled",
    # Still hot when the time for cooling was used up, where no clock can be read that would tell more.
    "heat": "the device was hot",
    "load": "other processes wanted the processor",
    # A hypervisor gave its processors to other machines.
    "steal": "the virtual machine had to share its processor",
}
"""Why a point may be doubtful, each seen while the point's own runs were going on; and in words."""

COOL_DOWN_SECONDS = 60.0
"""What may be spent on waiting for a hot device, by default."""
RISE_C = 15.0
"""So much warmer than at the start is hot: on bare boards throttling begins some 20 to 30 °C above idle."""
BACK_C = 5.0
"""A pause ends when the device is this near to where it started."""
POLL_SECONDS = 1.0
CLOCK_FELL = 0.05
"""Clocks that differ by less are the same: governors work in steps, and readings lag."""
OTHERS_CORES, OTHERS_SHARE = 0.25, 0.05
"""Others may use so many processors, or on a large machine that share of them, before it counts."""
STEAL_SHARE, STEAL_SECONDS = 0.02, 0.03
"""A share of the time, and at least three of the ticks in which it is counted."""
_SLOW_GOVERNORS = ("powersave", "userspace")
_OWN_GOVERNORS = ("intel_pstate", "amd-pstate-epp")
"""Drivers whose powersave is a governor for every day (admin-guide/pm/intel_pstate.rst)."""


class Doubt(NamedTuple):
    """Why a point is doubtful: one of `REASONS`, and what was seen."""

    why: str
    detail: str
    """What was seen, such as `1000 MHz, at best 1800`."""

    def to_dict(self) -> dict[str, str]:
        return {"why": self.why, "detail": self.detail}


class _Burst(NamedTuple):
    before: Reading
    after: Reading


class Watch:
    """Looks at the sensors before and after each burst of runs, and waits when the device is hot.

    cool_down_s: the most to wait, all pauses together; 0: never.
    Made before anything runs: what the device is like now is what it is brought back to.
    """

    def __init__(
        self,
        sensors: Sensors,
        *,
        cool_down_s: float = COOL_DOWN_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sensors = sensors
        self.start = sensors.read()
        self._limit_s = cool_down_s
        self._clock = clock
        self._sleep = sleep
        self._pauses = 0
        self._paused_s = 0.0
        self._gave_up = False
        self._opened: Reading | None = None
        self._bursts: dict[Hashable, list[_Burst]] = {}

    def before(self) -> None:
        """A burst is about to begin."""
        self._opened = self.sensors.read()

    def after(self, key: Hashable, *, at_most_s: float = float("inf")) -> bool:
        """A burst of `key` has ended. Waits where the device is hot; False: it was throttled, do that burst again.

        at_most_s: the most to wait now.
        """
        reading = self.sensors.read()
        throttled = _is_throttled(reading)
        hot = throttled or self._rise_c(reading) >= RISE_C
        if hot and self.cool(at_most_s) and throttled:
            return False
        assert self._opened is not None
        self._bursts.setdefault(key, []).append(_Burst(self._opened, reading))
        return True

    def note(self, key: Hashable, before: Reading, after: Reading) -> None:
        """A stretch of `key` that somebody else timed, without a pause."""
        self._bursts.setdefault(key, []).append(_Burst(before, after))

    def cool(self, at_most_s: float = float("inf")) -> bool:
        """Waits until the device is near where it started, if there is time left for it. Whether it waited."""
        begun, waited_s = self._clock(), 0.0
        reading = self.sensors.read()
        while _is_throttled(reading) or self._rise_c(reading) > BACK_C:
            left_s = min(self._limit_s - self._paused_s, at_most_s) - waited_s
            if left_s <= 0:
                self._gave_up = True
                break
            self._sleep(min(POLL_SECONDS, left_s))
            waited_s = self._clock() - begun
            reading = self.sensors.read()
        self._paused_s += waited_s
        self._pauses += waited_s > 0
        return waited_s > 0

    def cooling(self) -> dict[str, Any]:
        """The pauses that were made, as JSON values. gave_up: it was hot once more when the time for them was over."""
        return {
            "limit_s": self._limit_s,
            "pauses": self._pauses,
            "paused_s": round(self._paused_s, 1),
            "gave_up": self._gave_up,
        }

    def conditions(self, key: Hashable) -> dict[str, Any]:
        """What the sensors said while `key` ran, as JSON values; what they cannot say is left out.

        temperature_c, mhz: before its first and after its last burst; mhz has an entry for each cluster, and `busy` is
        the median of the fastest one's right after bursts. other_cores: processors that others used meanwhile.
        """
        bursts = self._bursts[key]
        first, last = bursts[0].before, bursts[-1].after
        found: dict[str, Any] = {}
        temperatures = [each.after.temperature_c for each in bursts if each.after.temperature_c is not None]
        if temperatures:
            found["temperature_c"] = {
                "before": first.temperature_c,
                "after": last.temperature_c,
                "max": max(temperatures),
            }
        busy_mhz = self._busy_mhz(key)
        if busy_mhz is not None:
            found["mhz"] = {"before": list(first.mhz), "after": list(last.mhz), "busy": busy_mhz}
        if last.throttled is not None or last.slowed is not None or last.throttle_count is not None:
            found["throttled"] = self._throttling(bursts)
        others, steal, _ = self._load(bursts)
        if others is not None:
            found["other_cores"] = round(others, 2)
            found["steal"] = round(steal, 4)
        return found

    def doubts(self, key: Hashable, peers: Iterable[Hashable]) -> list[Doubt]:
        """Why `key`'s latency may not be the device's own. peers: what else was measured with as many threads."""
        bursts = self._bursts[key]
        found = [*self._governor_doubts(), *self._clock_doubts(key, peers)]
        throttling = self._throttling(bursts)
        if throttling:
            found.append(Doubt("throttled", ", ".join(throttling)))
        hottest = max((self._rise_c(each.after) for each in bursts), default=0.0)
        if self._gave_up and hottest >= RISE_C and self._busy_mhz(key) is None:
            found.append(Doubt("heat", f"{hottest:.0f} °C above the start"))
        return found + self._foreign_doubts(bursts)

    def disturbed(self, *keys: Hashable) -> list[Doubt]:
        """What else than its own heat may have slowed a run: the governor, and what others took while any key ran.

        Each reason once, with what was seen at the first key that has it.
        """
        found = self._governor_doubts() + [doubt for key in keys for doubt in self._foreign_doubts(self._bursts[key])]
        return list({doubt.why: doubt for doubt in reversed(found)}.values())[::-1]

    def _governor_doubts(self) -> list[Doubt]:
        found = []
        for index in self.sensors.used:
            cluster = self.sensors.clusters[index]
            if cluster.governor in _SLOW_GOVERNORS and cluster.driver not in _OWN_GOVERNORS:
                found.append(Doubt("governor", f"{cluster.governor} on cpu {as_ranges(cluster.cpus)}"))
        return found

    def _foreign_doubts(self, bursts: list[_Burst]) -> list[Doubt]:
        found = []
        others, steal, steal_s = self._load(bursts)
        if others is not None and others > max(OTHERS_CORES, OTHERS_SHARE * len(self.sensors.cpus)):
            found.append(Doubt("load", f"others used {others:.1f} of {len(self.sensors.cpus)} processors"))
        if steal > STEAL_SHARE and steal_s >= STEAL_SECONDS:
            found.append(Doubt("steal", f"{steal:.0%} of the time went to other machines"))
        return found

    def _clock_doubts(self, key: Hashable, peers: Iterable[Hashable]) -> list[Doubt]:
        clock = self._busy_mhz(key)
        if clock is None:
            return []
        found = []
        # Held against the best single burst: heat that fell on all of them alike must show too.
        best = max(max(self._clocks(each), default=0.0) for each in {key, *peers})
        if clock < (1 - CLOCK_FELL) * best:
            found.append(Doubt("clock", f"{clock:.0f} MHz, at best {best:.0f}"))
        own = self.sensors.clusters[self.sensors.used[-1]].max_mhz
        limits = [each.after.limit_mhz for each in self._bursts[key] if each.after.limit_mhz is not None]
        if own and limits and statistics.median(limits) < (1 - CLOCK_FELL) * own:
            found.append(Doubt("clock", f"capped at {statistics.median(limits):.0f} of {own:.0f} MHz"))
        return found

    def _busy_mhz(self, key: Hashable) -> float | None:
        clocks = self._clocks(key)
        return statistics.median(clocks) if clocks else None

    def _clocks(self, key: Hashable) -> list[float]:
        """Right after each burst."""
        clocks = (self.sensors.clock_mhz(each.after) for each in self._bursts.get(key, []))
        return [clock for clock in clocks if clock is not None]

    def _rise_c(self, reading: Reading) -> float:
        if reading.temperature_c is None or self.start.temperature_c is None:
            return 0.0
        return reading.temperature_c - self.start.temperature_c

    def _throttling(self, bursts: list[_Burst]) -> list[str]:
        """What throttled during the bursts, by name."""
        bits = 0
        for each in bursts:
            bits |= each.after.throttled or 0
        names = throttled_names(bits)
        if any(each.after.slowed for each in bursts):
            names.append("slowed by the kernel")
        if any((each.after.throttle_count or 0) > (each.before.throttle_count or 0) for each in bursts):
            names.append("slowed by the processor")
        return names

    def _load(self, bursts: list[_Burst]) -> tuple[float | None, float, float]:
        """(processors that others used, share that was stolen, seconds that were stolen) during the bursts."""
        others_s = steal_s = wall_s = 0.0
        for before, after in bursts:
            if before.times is None or after.times is None:
                return None, 0.0, 0.0
            others_s += (after.times.busy_s - before.times.busy_s) - (after.own_s - before.own_s)
            steal_s += after.times.steal_s - before.times.steal_s
            wall_s += after.times.wall_s - before.times.wall_s
        if wall_s <= 0:
            return None, 0.0, 0.0
        return max(0.0, others_s / wall_s), steal_s / wall_s / len(self.sensors.cpus), steal_s


def _is_throttled(reading: Reading) -> bool:
    """Whether the heat is slowing the device now. A weak power supply caps the clock too, but no pause cures that."""
    bits = reading.throttled or 0
    if bits & UNDER_VOLTAGE:
        bits &= ~CAPPED
    return bool(bits & (CAPPED | THROTTLED | SOFT_LIMIT)) or bool(reading.slowed)
