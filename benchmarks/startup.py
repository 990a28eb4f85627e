"""How long a user waits for `edgevit --help`: whole processes, medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from record import write

RUNS = 15


def seconds(*command: str) -> list[float]:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])  # the first fills the file cache


def main() -> None:
    rows = {
        "edgevit --help": seconds(sys.executable, "-m", "edgevit", "--help"),
        "python -c pass": seconds(sys.executable, "-c", "pass"),
    }
    figures = {
        name: {"median_s": round(statistics.median(times), 4), "max_s": round(times[-1], 4)}
        for name, times in rows.items()
    }
    print(figures)
    write("startup", {"runs": RUNS, "rows": figures})


if __name__ == "__main__":
    main()
