"""What the device feels while it computes: heat, clocks, throttling, and who else wants the processor.

Linux only, and only what may be read without rights; whatever is not there is None. The files' formats, in the kernel's
Documentation/: admin-guide/cputopology.rst and ABI/testing/sysfs-devices-system-cpu (processors, capacity, throttle
counts), admin-guide/pm/cpufreq.rst (clocks, governors), driver-api/thermal/sysfs-api.rst (zones, cooling devices),
hwmon/sysfs-interface.rst, filesystems/proc.rst (stat, loadavg). The Raspberry Pi's firmware answers through `vcgencmd
get_throttled` (raspberrypi.com/documentation/computers/os.html).
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.measure.processors import as_ranges, parse_cpus

# What a zone's type must say to be the processor's. A phone's plain "soc" is the battery's state of charge.
_CPU_ZONE = re.compile(r"cpu|x86_pkg|soc[-_]thermal|mtktssoc|^(big|mid|little)$", re.IGNORECASE)
_ANY_ZONE = re.compile(r"thermal$", re.IGNORECASE)
_CPU_HWMON = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "scpi_sensors")
_CPU_COOLING = re.compile(r"^(thermal-)?cpufreq|^Processor$")
_PLAUSIBLE_C = (1.0, 150.0)
"""Zones that are switched off say 0, -274 or nonsense."""
_MOST_CPUS = 32
"""Of a larger machine not every clock is read: reading must not become the load."""
_FIRMWARE_SECONDS = 0.5
"""`vcgencmd` is a process: it is not asked more often."""

UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1, 2, 4, 8
_BITS = {
    UNDER_VOLTAGE: "under-voltage",
    CAPPED: "frequency capped",
    THROTTLED: "throttled",
    SOFT_LIMIT: "soft temperature limit",
}


class Cluster(NamedTuple):
    """Processors of one kind. Frequencies in MHz; capacity relative to 1024, the fastest kind's."""

    cpus: tuple[int, ...]
    capacity: int | None
    max_mhz: float | None
    governor: str | None
    driver: str | None

    def to_dict(self) -> dict[str, Any]:
        known = {name: value for name, value in self._asdict().items() if value is not None}
        return {**known, "cpus": as_ranges(self.cpus)}


class Times(NamedTuple):
    """Of the processors in use together, in seconds: how long they worked for anybody, and for other machines.

    wall_s: the time that passed, as counted by the same clock.
    """

    busy_s: float
    steal_s: float
    wall_s: float


class Reading(NamedTuple):
    """One look at everything. `mhz` has an entry for each cluster; times are seconds since the start of something."""

    temperature_c: float | None = None
    mhz: tuple[float | None, ...] = ()
    limit_mhz: float | None = None
    """What the fastest cluster in use is allowed now: less than its `max_mhz` is a cap."""
    throttled: int | None = None
    """The firmware's bits, `throttled_names` says which."""
    slowed: bool | None = None
    """Whether the kernel is lowering clocks against heat (a cooling device of the processor is at work)."""
    throttle_count: int | None = None
    """How often the processor has throttled since it was started (x86)."""
    times: Times | None = None
    own_s: float = 0.0
    """How long this process worked, all its threads together."""


HEAT_SENSORS = ("temperature", "clock", "throttling", "cooling_devices", "throttle_counts")


def heat_is_watched(sensors: Mapping[str, Any]) -> bool:
    """Whether anything in `device.sensors` of a profile would tell that heat slows the device."""
    return any(sensors.get(each) for each in HEAT_SENSORS)


class Sensors:
    """The sensors of the machine whose files lie under `root`.

    cpus: the processors that are used (None: all that are online); the others' clocks and load do not matter.
    firmware: gives what `vcgencmd get_throttled` prints, or None where there is no such program.
    own_cpu_s: this process's processor time in seconds.
    """

    def __init__(
        self,
        root: str = "/",
        *,
        cpus: Collection[int] | None = None,
        firmware: Callable[[], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        own_cpu_s: Callable[[], float] = time.process_time,
    ) -> None:
        self._root = root
        self._clock = clock
        self._own_cpu_s = own_cpu_s
        if firmware is None and root == "/" and shutil.which("vcgencmd"):
            firmware = _vcgencmd
        self._firmware = firmware
        self._firmware_said: tuple[float, int | None] = (float("-inf"), None)
        online = self._online()
        self.cpus = tuple(sorted(online if cpus is None else set(cpus)))
        self.clusters = self._find_clusters(online)
        self._cooling = [
            f"{folder}/cur_state"
            for folder in self._folders("sys/class/thermal", "cooling_device")
            if _CPU_COOLING.search(self._text(f"{folder}/type") or "")
        ]
        self._temperatures, self.thermometer = self._find_thermometer()

    @property
    def used(self) -> tuple[int, ...]:
        """The indices of the clusters in use, the fastest last."""
        indices = [index for index, each in enumerate(self.clusters) if set(each.cpus) & set(self.cpus)]
        return tuple(
            sorted(indices, key=lambda index: (self.clusters[index].capacity or 0, self.clusters[index].max_mhz or 0))
        )

    def describe(self) -> dict[str, Any]:
        """The clusters, and what is watched, as JSON values; `sensors` says None for what cannot be seen here."""
        first = self.read()
        load = self._numbers("proc/loadavg")
        return {
            "clusters": [cluster.to_dict() for cluster in self.clusters],
            "load_1min": load[0] if load else None,
            "sensors": {
                "temperature": self.thermometer,
                "clock": "cpufreq" if any(each is not None for each in first.mhz) else None,
                "throttling": "vcgencmd" if first.throttled is not None else None,
                "cooling_devices": len(self._cooling) or None,
                "throttle_counts": "thermal_throttle" if first.throttle_count is not None else None,
                "load": "/proc/stat" if first.times else None,
            },
        }

    def read(self) -> Reading:
        """How things are now: clocks first, since they fall as soon as the work stops."""
        clocks = tuple(self._clock_mhz(each) for each in self.clusters)
        temperatures = [value for value in map(self._celsius, self._temperatures) if value is not None]
        states = [state for state in (self._number(path) for path in self._cooling) if state is not None]
        counts = [self._number(f"{_cpu(each)}/thermal_throttle/core_throttle_count") for each in self.cpus[:_MOST_CPUS]]
        counted = [int(count) for count in counts if count is not None]
        return Reading(
            temperature_c=max(temperatures, default=None),
            mhz=clocks,
            limit_mhz=self._mhz(self.clusters[self.used[-1]].cpus[0], "scaling_max_freq") if self.used else None,
            throttled=self._throttled(),
            slowed=any(state > 0 for state in states) if states else None,
            throttle_count=sum(counted) if counted else None,
            times=self._times(),
            own_s=self._own_cpu_s(),
        )

    def clock_mhz(self, reading: Reading) -> float | None:
        """The clock of the fastest cluster in use: that is where the work goes."""
        return reading.mhz[self.used[-1]] if self.used else None

    def _online(self) -> tuple[int, ...]:
        listed = self._text("sys/devices/system/cpu/online")
        with contextlib.suppress(EdgeViTError):
            return parse_cpus(listed or "")
        return tuple(range(os.cpu_count() or 1)) if self._root == "/" else ()

    def _find_clusters(self, online: Iterable[int]) -> tuple[Cluster, ...]:
        """Processors that share a clock, or are of one kind where each has its own."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for cpu in online:
            capacity = self._number(f"{_cpu(cpu)}/cpu_capacity")
            related = self._text(f"{_cpu(cpu)}/cpufreq/related_cpus") or ""
            words = tuple(self._text(f"{_cpu(cpu)}/cpufreq/{name}") for name in ("scaling_governor", "scaling_driver"))
            key = (
                related if len(related.split()) > 1 else "",
                None if capacity is None else int(capacity),
                self._mhz(cpu, "cpuinfo_max_freq"),
                *words,
            )
            found.setdefault(key, []).append(cpu)
        return tuple(Cluster(tuple(cpus), *key[1:]) for key, cpus in found.items())

    def _find_thermometer(self) -> tuple[list[str], str | None]:
        """(the files that hold the processor's temperature, their name): of several the hottest counts."""
        zones = [
            (folder, self._text(f"{folder}/type") or "")
            for folder in self._folders("sys/class/thermal", "thermal_zone")
        ]
        for wanted in (_CPU_ZONE, _ANY_ZONE):
            chosen = [(folder, kind) for folder, kind in zones if wanted.search(kind)]
            chosen = [each for each in chosen if self._celsius(f"{each[0]}/temp") is not None]
            if chosen:
                kinds = sorted({kind for _, kind in chosen})
                return [f"{folder}/temp" for folder, _ in chosen], f"thermal zone {', '.join(kinds)}"
        for folder in self._folders("sys/class/hwmon", "hwmon"):
            name = self._text(f"{folder}/name") or ""
            if name in _CPU_HWMON and self._celsius(f"{folder}/temp1_input") is not None:
                return [f"{folder}/temp1_input"], f"hwmon {name}"
        return [], None

    def _celsius(self, path: str) -> float | None:
        value = self._number(path)
        low, high = _PLAUSIBLE_C
        return value / 1e3 if value is not None and low <= value / 1e3 <= high else None

    def _clock_mhz(self, cluster: Cluster) -> float | None:
        """The highest clock among its processors: the others idle."""
        shared = len((self._text(f"{_cpu(cluster.cpus[0])}/cpufreq/related_cpus") or "").split()) > 1
        cpus = cluster.cpus[:1] if shared else cluster.cpus[:_MOST_CPUS]
        clocks = (self._mhz(cpu, "scaling_cur_freq") for cpu in cpus)
        return max((clock for clock in clocks if clock is not None), default=None)

    def _mhz(self, cpu: int, name: str) -> float | None:
        value = self._number(f"{_cpu(cpu)}/cpufreq/{name}")
        return None if value is None else round(value / 1e3, 1)

    def _throttled(self) -> int | None:
        if self._firmware is None:
            return None
        at, bits = self._firmware_said
        if self._clock() - at >= _FIRMWARE_SECONDS:
            found = re.search(r"throttled=(0x[0-9a-fA-F]+)", self._firmware() or "")
            bits = int(found[1], 16) if found else None
            self._firmware_said = self._clock(), bits
        return bits

    def _times(self) -> Times | None:
        """From /proc/stat; its columns are user nice system idle iowait irq softirq steal."""
        ticks_a_second = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
        wanted, busy, steal, wall, seen = set(self.cpus), 0, 0, 0, 0
        for line in (self._text("proc/stat") or "").splitlines():
            name, *columns = line.split()
            if not re.fullmatch(r"cpu\d+", name) or not all(each.isdecimal() for each in columns):
                continue
            if int(name[3:]) in wanted and len(columns) >= 8:
                user, nice, system, idle, iowait, irq, softirq, stolen = map(int, columns[:8])
                working = user + nice + system + irq + softirq
                busy, steal, wall = busy + working, steal + stolen, wall + working + idle + iowait + stolen
                seen += 1
        if not seen:
            return None
        return Times(busy / ticks_a_second, steal / ticks_a_second, wall / ticks_a_second / seen)

    def _folders(self, parent: str, name: str) -> list[str]:
        with contextlib.suppress(OSError):
            numbered = (each for each in os.listdir(os.path.join(self._root, parent)) if each.startswith(name))
            return [f"{parent}/{each}" for each in sorted(numbered)]
        return []

    def _text(self, path: str) -> str | None:
        with (
            contextlib.suppress(OSError),
            open(os.path.join(self._root, path), encoding="utf-8", errors="replace") as file,
        ):
            return file.read().strip("\0\n ")
        return None

    def _numbers(self, path: str) -> list[float]:
        numbers = []
        for word in (self._text(path) or "").split():
            with contextlib.suppress(ValueError):
                numbers.append(float(word))
        return [number for number in numbers if math.isfinite(number)]

    def _number(self, path: str) -> float | None:
        return next(iter(self._numbers(path)), None)


def throttled_names(bits: int) -> list[str]:
    """What the firmware's bits 0 to 3 say of now. Bits 16 to 19 say the same of the time since the start."""
    return [name for bit, name in _BITS.items() if bits & bit]


def _cpu(number: int) -> str:
    return f"sys/devices/system/cpu/cpu{number}"


def _vcgencmd() -> str | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=2, check=False)
        return done.stdout
    return None
