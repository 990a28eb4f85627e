"""Does `budget_ms` hold while other programs take the processor? DeiT-Tiny int8, eight resolutions.

Phases of a run: alone, then beside hogs (processes that count without end), then alone again. In each the 95th
percentile of what `latency_ms` says, which resolutions were used, and whether results said that the budget is met.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from typing import Any

import numpy as np

from deit_tiny import LADDER, artefact
from edgevit_runtime import Classification, Model
from record import write

SECONDS = 20.0
BUDGETS_MS = (60.0, 25.0, 6.0)
HOG = "while True: pass"


def phase(model: Model, image: Any, hogs: int) -> dict[str, Any]:
    started = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(hogs)]
    try:
        results: list[Classification] = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            results.append(model.classify(image))
    finally:
        for each in started:
            each.kill()
            each.wait()
    latencies = np.array([each.latency_ms for each in results])
    used = Counter(each.resolution for each in results)
    assert model.budget_ms is not None
    return {
        "hogs": hogs,
        "inferences": len(results),
        "p50_ms": round(float(np.quantile(latencies, 0.5)), 2),
        "p95_ms": round(float(np.quantile(latencies, 0.95)), 2),
        "within_budget": round(float(np.mean(latencies <= model.budget_ms)), 4),
        "said_it_cannot": round(float(np.mean([not each.budget_met for each in results])), 4),
        "resolutions": {str(resolution): count for resolution, count in sorted(used.items())},
    }


def main() -> None:
    cores = os.cpu_count() or 1
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    path = artefact("int8", LADDER)
    runs = []
    for budget in BUDGETS_MS:
        with warnings.catch_warnings(record=True) as said, Model(path, budget_ms=budget) as model:
            warnings.simplefilter("always")
            model.classify(image)
            phases = [phase(model, image, hogs) for hogs in (0, cores, 2 * cores, 0)]
        runs.append({"budget_ms": budget, "phases": phases, "warnings": [str(each.message) for each in said]})
        print(json.dumps(runs[-1], indent=1), flush=True)
    write(
        "runtime_budget",
        {"model": "DeiT-Tiny int8", "ladder": LADDER, "seconds": SECONDS, "cores": cores, "runs": runs},
    )


if __name__ == "__main__":
    main()
