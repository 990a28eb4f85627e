"""What heat and other programs do to a profile, and what is done about it.

Simulated (tests/support/simulated_machines.py): a board that lowers its clock from 62 °C on, measured by the real loop
one resolution after the other, in turns, and in turns with pauses. Real: DeiT-Tiny int8 on this machine beside
processes that count without end, and which marks the points got.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from deit_tiny import LADDER, artefact
from edgevit.devices.profile_request import ProfileRequest
from edgevit.latency.measurement import measure
from edgevit.latency.profile import Profile
from edgevit_runtime.measure import timing
from edgevit_runtime.measure.conditions import Watch
from record import write
from support.simulated_machines import SimulatedMachine

COOL_MS = {96: 8.0, 128: 13.2, 160: 20.8, 192: 32.0, 224: 48.0, 256: 66.4}
HOG = "while True: pass"
RESOLUTIONS = (96, 160, 224)
SECONDS = 4.0


def simulated(cool_down_s: float, *, turns: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        machine = SimulatedMachine(Path(folder), COOL_MS, limit_c=62.0, tau_s=8.0)
        watch = Watch(machine.sensors(), cool_down_s=cool_down_s, clock=machine.clock, sleep=machine.sleep)
        calls = machine.calls()
        groups = [calls] if turns else [{key: call} for key, call in calls.items()]
        medians: dict[int, float] = {}
        for group in groups:
            found = timing.measure(group, seconds=SECONDS, clock=machine.clock, watch=watch)
            medians |= {key: latency.median_ms for key, latency in found.items()}
        return {
            "slower": {key: round(medians[key] / COOL_MS[key], 3) for key in COOL_MS},
            "marked": [key for key in COOL_MS if watch.doubts(key, COOL_MS)],
            "paused_s": watch.cooling()["paused_s"],
            "took_s": round(machine.now, 1),
        }


def beside(hogs: int, path: Path) -> dict[str, Any]:
    started = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(hogs)]
    try:
        profile: Profile = measure(path, ProfileRequest(RESOLUTIONS, seconds=SECONDS))
    finally:
        for each in started:
            each.kill()
            each.wait()
    return {
        "hogs": hogs,
        "points": [
            {
                "resolution": point.resolution.to_json(),
                "median_ms": point.median_ms,
                "p90_ms": point.p90_ms,
                "other_cores": point.conditions.other_cores if point.conditions else None,
                "why": [doubt.why for doubt in point.doubtful],
                "stable": point.stable,
            }
            for point in profile.points
        ],
    }


def main() -> None:
    ways = {
        "one after the other": simulated(0.0, turns=False),
        "in turns": simulated(0.0, turns=True),
        "in turns, with pauses": simulated(600.0, turns=True),
    }
    path = artefact("int8", LADDER)
    real = [beside(hogs, path) for hogs in (0, 1, 2)]
    write("measuring", {"simulated": ways, "real": real, "model": "DeiT-Tiny int8"})


if __name__ == "__main__":
    main()
