"""Makes `vectors/budget.json`: which resolution a latency budget leads to, step by step, on devices that change.

    python runtimes/contract/make_budget.py

The devices are worked out from formulas and a counter, so that the same traces come out each time. The choices are the
Python runtime's (`edgevit_runtime.adaptive_resolution`): another runtime has to come to the same.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit_runtime.adaptive_resolution import Budget
from edgevit_runtime.resolution import as_resolution

TARGET = Path(__file__).parent / "vectors" / "budget.json"
MEDIANS_MS = {"96": 2.0, "128x160": 4.4, "160x128": 4.0, "160": 5.2, "224": 12.0, "320x192": 14.0}
STEPS = 400

Device = Callable[[float, int], float]
"""(seconds since the start, number of the inference) -> by how much an inference takes longer than its median."""

# name -> (budget in ms, the device)
TRACES: dict[str, tuple[float, Device]] = {
    "steady": (6.0, lambda _seconds, number: 1.0 + 0.02 * (number % 5)),
    "it becomes hot, and cool again": (13.0, lambda seconds, _number: 1.7 if 2.0 <= seconds < 4.0 else 1.0),
    "somebody interrupts every seventh": (6.0, lambda _seconds, number: 1.5 if number % 7 == 0 else 1.0),
    "now and then one takes long": (15.0, lambda _seconds, number: 3.0 if number % 41 == 0 else 1.0),
    "nothing fits": (1.5, lambda _seconds, _number: 1.0),
    "faster than measured": (6.0, lambda _seconds, _number: 0.4),
}


def trace(budget_ms: float, device: Device) -> dict[str, Any]:
    now = 0.0
    budget = Budget(budget_ms, {as_resolution(key): value for key, value in MEDIANS_MS.items()}, lambda: now)
    steps = []
    for number in range(STEPS):
        resolution = budget.resolution
        latency_ms = round(MEDIANS_MS[str(resolution)] * device(now, number), 4)
        now = round(now + latency_ms / 1e3 + 0.005, 6)
        budget.record(resolution, latency_ms)
        steps.append([now, str(resolution), latency_ms, budget.met])
    return {"budget_ms": budget_ms, "steps": steps}


def vectors() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traces = [{"name": name, **trace(budget_ms, device)} for name, (budget_ms, device) in TRACES.items()]
    return {
        "format": "Each step is [seconds when the inference ended, the resolution that was chosen for it before, "
        "its latency in ms, whether the budget is met after it]. Give a budget that was made at 0 s with medians_ms "
        "the times and latencies one after the other: it must choose the same resolutions, and say the same. "
        "Of resolutions with as many pixels it only ever chooses the one that was measured as the fastest.",
        "medians_ms": MEDIANS_MS,
        "traces": traces,
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    TARGET.write_text(json.dumps(vectors(), separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
