"""Machines that are not here: the files of their sensors, and one that becomes warm on a clock of its own.

The trees are written from the formats in the kernel's Documentation/ that
`edgevit_runtime.measure.sensors` names, and from the Raspberry Pi's documentation of get_throttled; they are not copies
of somebody's device.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edgevit_runtime.measure.sensors import Reading, Sensors

_CPU = "sys/devices/system/cpu"
_TICKS = os.sysconf("SC_CLK_TCK")


def lay_out(root: Path, files: Mapping[str, str]) -> Path:
    """Writes a tree of files, each with the line's end that the kernel gives."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\0") else f"{text}\n", encoding="utf-8")
    return root


def _cluster(
    cpus: range,
    capacity: int | None,
    low_khz: int,
    high_khz: int,
    governor: str,
    driver: str,
    now_khz: int | None = None,
) -> dict[str, str]:
    files = {}
    for cpu in cpus:
        clock = f"{_CPU}/cpu{cpu}/cpufreq"
        files |= {
            f"{clock}/related_cpus": " ".join(map(str, cpus)),
            f"{clock}/cpuinfo_min_freq": str(low_khz),
            f"{clock}/cpuinfo_max_freq": str(high_khz),
            f"{clock}/scaling_max_freq": str(high_khz),
            f"{clock}/scaling_cur_freq": str(now_khz or high_khz),
            f"{clock}/scaling_governor": governor,
            f"{clock}/scaling_driver": driver,
            f"{_CPU}/cpu{cpu}/topology/physical_package_id": "0",
        }
        if capacity is not None:
            files[f"{_CPU}/cpu{cpu}/cpu_capacity"] = str(capacity)
    return files


def _stat(cpus: int) -> str:
    lines = [f"cpu{cpu} 1000 10 200 90000 50 0 5 0 0 0" for cpu in range(cpus)]
    return "\n".join([f"cpu {1000 * cpus} 10 200 90000 50 0 5 0 0 0", *lines, "intr 12345", "ctxt 6789"])


def _arm_cpus(*parts: tuple[int, str]) -> str:
    names = [part for count, part in parts for _ in range(count)]
    blocks = [
        f"processor\t: {number}\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"
        for number, part in enumerate(names)
    ]
    return "\n".join(blocks)


PI_4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    # Kernels for 32 bits, and older ones for 64, end so: with the same name for every Pi.
    "proc/cpuinfo": _arm_cpus((4, "0xd08")) + "\nHardware\t: BCM2835\nRevision\t: c03114",
    "proc/loadavg": "0.12 0.20 0.18 1/180 2345",
    "proc/stat": _stat(4),
    f"{_CPU}/online": "0-3",
    **_cluster(range(4), 1024, 600_000, 1_800_000, "ondemand", "cpufreq-dt"),
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
    "sys/class/thermal/thermal_zone0/temp": "48199",
}
PI_5 = {
    **PI_4,
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": _arm_cpus((4, "0xd0b")),
    **_cluster(range(4), 1024, 1_500_000, 2_400_000, "ondemand", "cpufreq-dt"),
    # A fan at work is no throttling.
    "sys/class/thermal/cooling_device0/type": "pwm-fan",
    "sys/class/thermal/cooling_device0/cur_state": "2",
}
PHONE = {
    "proc/cpuinfo": _arm_cpus((4, "0xd05"), (3, "0xd41"), (1, "0xd44")),
    "proc/loadavg": "6.30 6.10 5.90 2/3200 9876",
    "proc/stat": _stat(8),
    f"{_CPU}/online": "0-7",
    **_cluster(range(4), 250, 300_000, 1_803_000, "schedutil", "cpufreq-hw", 576_000),
    **_cluster(range(4, 7), 768, 400_000, 2_253_000, "schedutil", "cpufreq-hw", 1_197_000),
    **_cluster(range(7, 8), 1024, 500_000, 2_802_000, "schedutil", "cpufreq-hw", 2_802_000),
    "sys/class/thermal/thermal_zone0/type": "soc",  # the battery's state of charge, in percent
    "sys/class/thermal/thermal_zone0/temp": "85",
    "sys/class/thermal/thermal_zone1/type": "battery",
    "sys/class/thermal/thermal_zone1/temp": "31000",
    "sys/class/thermal/thermal_zone2/type": "cpu-0-0-usr",
    "sys/class/thermal/thermal_zone2/temp": "38700",
    "sys/class/thermal/thermal_zone3/type": "cpu-1-3-usr",
    "sys/class/thermal/thermal_zone3/temp": "44200",
    "sys/class/thermal/thermal_zone4/type": "cpu-1-2-usr",  # switched off with its core
    "sys/class/thermal/thermal_zone4/temp": "-274000",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
    "sys/class/thermal/cooling_device0/cur_state": "0",
    "sys/class/thermal/cooling_device1/type": "cpufreq-cpu7",
    "sys/class/thermal/cooling_device1/cur_state": "3",
}
PC = {  # each processor has a clock of its own, two of them a higher one
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5 Test\n",
    "proc/loadavg": "0.50 0.40 0.30 1/900 4242",
    "proc/stat": _stat(4),
    f"{_CPU}/online": "0-3",
    **_cluster(range(0, 1), None, 800_000, 4_500_000, "powersave", "intel_pstate", 4_100_000),
    **_cluster(range(1, 2), None, 800_000, 4_500_000, "powersave", "intel_pstate", 800_000),
    **_cluster(range(2, 3), None, 800_000, 4_300_000, "powersave", "intel_pstate", 800_000),
    **_cluster(range(3, 4), None, 800_000, 4_300_000, "powersave", "intel_pstate", 800_000),
    "sys/class/thermal/thermal_zone0/type": "acpitz",
    "sys/class/thermal/thermal_zone0/temp": "27800",
    "sys/class/hwmon/hwmon0/name": "nvme",
    "sys/class/hwmon/hwmon0/temp1_input": "35850",
    "sys/class/hwmon/hwmon3/name": "coretemp",
    "sys/class/hwmon/hwmon3/temp1_input": "52000",
    **{f"{_CPU}/cpu{cpu}/thermal_throttle/core_throttle_count": str(cpu) for cpu in range(4)},
}
BARE = {  # a virtual machine: no sensor at all
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some vCPU\n",
    "proc/loadavg": "0.00 0.01 0.05 1/90 100",
    "proc/stat": _stat(2),
    f"{_CPU}/online": "0-1",
}


def steady_clock(step_s: float = 1e-3) -> Callable[[], float]:
    """A clock on which everything takes the same time: each look at it is a step later than the one before."""
    looks = itertools.count()
    return lambda: step_s * next(looks)


class SimulatedMachine:
    """A board with one cluster that warms up while it computes and lowers its clock when it is hot.

    Newton's law: under load it goes towards `heat_c` above its surroundings, with `tau_s`. From `limit_c` on each
    degree takes 2 % of the clock, to half of it. Its files lie under `root`, as of now whenever the real `Sensors`
    looks at them. latencies_ms: what an inference takes while it is cool, by resolution.
    """

    def __init__(
        self,
        root: Path,
        latencies_ms: Mapping[int, float],
        *,
        start_c: float = 45.0,
        heat_c: float = 60.0,
        tau_s: float = 4.0,
        limit_c: float = 70.0,
        max_mhz: float = 1800.0,
        others: float = 0.0,
        steal: float = 0.0,
        cpus: int = 4,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.root = lay_out(
            root, {**PI_4, "proc/stat": _stat(cpus), f"{_CPU}/online": f"0-{cpus - 1}", **(files or {})}
        )
        self.latencies_ms = latencies_ms
        self.now = 0.0
        self.own_s = 0.0
        self.temperature_c = start_c
        self.firmware_bits = 0
        self._surroundings_c, self._heat_c, self._tau_s = start_c, heat_c, tau_s
        self._limit_c, self._max_mhz = limit_c, max_mhz
        self.others, self._steal, self._cpus = others, steal, cpus
        self._busy_s = self._stolen_s = 0.0
        self.tell()

    @property
    def clock_mhz(self) -> float:
        return self._max_mhz * max(0.5, 1.0 - 0.02 * max(0.0, self.temperature_c - self._limit_c))

    def clock(self) -> float:
        return self.now

    def own_cpu_s(self) -> float:
        return self.own_s

    def firmware(self) -> str:
        """What `vcgencmd get_throttled` prints."""
        return f"throttled={self.firmware_bits:#x}\n"

    def sleep(self, seconds: float) -> None:
        self._advance(seconds, busy=False)

    def sensors(self, **more: Any) -> Sensors:
        return _LiveSensors(self, **more)

    def call(self, resolution: int) -> Callable[[], None]:
        """An inference at that resolution, on one thread."""

        def run() -> None:
            self._advance(self.latencies_ms[resolution] / 1e3 * self._max_mhz / self.clock_mhz, busy=True)

        return run

    def calls(self) -> dict[int, Callable[[], None]]:
        return {resolution: self.call(resolution) for resolution in self.latencies_ms}

    def _advance(self, seconds: float, *, busy: bool) -> None:
        goal_c = self._surroundings_c + (self._heat_c if busy else 0.0)
        self.temperature_c += (goal_c - self.temperature_c) * min(1.0, seconds / self._tau_s)
        self.now += seconds
        self.own_s += seconds if busy else 0.0
        self._busy_s += seconds * (self.others + busy)
        self._stolen_s += seconds * self._steal * self._cpus

    def tell(self) -> None:
        """Writes what the files would say now; the work of all processors stands in the first one's line."""
        busy, stolen, wall = (round(each * _TICKS) for each in (self._busy_s, self._stolen_s, self.now))
        idle = [wall * self._cpus - busy - stolen, *(0 for _ in range(self._cpus - 1))]
        lines = [
            f"cpu{cpu} {busy * (cpu == 0)} 0 0 {idle[cpu]} 0 0 0 {stolen * (cpu == 0)} 0 0" for cpu in range(self._cpus)
        ]
        (self.root / "proc/stat").write_text("\n".join(lines))
        (self.root / "sys/class/thermal/thermal_zone0/temp").write_text(f"{1e3 * self.temperature_c:.0f}\n")
        (self.root / _CPU / "cpu0/cpufreq/scaling_cur_freq").write_text(f"{1e3 * self.clock_mhz:.0f}\n")


class _LiveSensors(Sensors):
    """Has the machine write its files just before they are read; all else is the real thing."""

    def __init__(self, machine: SimulatedMachine, **more: Any) -> None:
        self._machine = machine
        hooks = {"clock": machine.clock, "own_cpu_s": machine.own_cpu_s, "firmware": machine.firmware}
        super().__init__(str(machine.root), **{**hooks, **more})

    def read(self) -> Reading:
        self._machine.tell()
        return super().read()
