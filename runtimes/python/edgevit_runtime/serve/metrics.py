"""Counters of a server as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter

from edgevit_runtime.measure.process_memory import rss_bytes
from edgevit_runtime.resolution import Resolution

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: Counter[int] = Counter()
        self._resolutions: Counter[Resolution] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._waited = 0.0
        self._waiting = self._open = self._dropped = 0

    def count(self, code: int) -> None:
        """A request was answered; 0 where the connection broke."""
        with self._lock:
            self._codes[code] += 1

    def waiting(self, change: int) -> None:
        with self._lock:
            self._waiting += change

    def connections(self, change: int) -> None:
        with self._lock:
            self._open += change

    def dropped(self) -> None:
        """A connection gave way to others."""
        with self._lock:
            self._dropped += 1

    def inference(self, resolution: Resolution, latency_ms: float, waited_s: float) -> None:
        """A picture was answered; before that, it waited for its turn."""
        seconds = latency_ms / 1e3
        with self._lock:
            self._waited += waited_s
            self._resolutions[resolution] += 1
            self._seconds += seconds
            for bound in BUCKETS_SECONDS:
                self._buckets[bound] += seconds <= bound

    def text(self) -> str:
        """Everything, a line a value."""
        with self._lock:
            lines = [
                "# HELP edgevit_requests_total Requests by status code; 0: the connection broke.",
                "# TYPE edgevit_requests_total counter",
                *(f'edgevit_requests_total{{code="{code}"}} {count}' for code, count in sorted(self._codes.items())),
                "# HELP edgevit_pictures_total Pictures answered, by resolution.",
                "# TYPE edgevit_pictures_total counter",
                *(
                    f'edgevit_pictures_total{{resolution="{resolution}"}} {count}'
                    for resolution, count in sorted(self._resolutions.items())
                ),
                "# HELP edgevit_inference_seconds Time in the interpreter.",
                "# TYPE edgevit_inference_seconds histogram",
                *(
                    f'edgevit_inference_seconds_bucket{{le="{bound}"}} {self._buckets[bound]}'
                    for bound in BUCKETS_SECONDS
                ),
                f'edgevit_inference_seconds_bucket{{le="+Inf"}} {sum(self._resolutions.values())}',
                f"edgevit_inference_seconds_sum {self._seconds:.6f}",
                f"edgevit_inference_seconds_count {sum(self._resolutions.values())}",
                "# HELP edgevit_waited_seconds Time that pictures waited for their turn.",
                "# TYPE edgevit_waited_seconds summary",
                f"edgevit_waited_seconds_sum {self._waited:.6f}",
                f"edgevit_waited_seconds_count {sum(self._resolutions.values())}",
                "# HELP edgevit_waiting Requests that hold a place now.",
                "# TYPE edgevit_waiting gauge",
                f"edgevit_waiting {self._waiting}",
                "# HELP edgevit_connections Open connections.",
                "# TYPE edgevit_connections gauge",
                f"edgevit_connections {self._open}",
                "# HELP edgevit_connections_dropped_total Connections that gave way to others.",
                "# TYPE edgevit_connections_dropped_total counter",
                f"edgevit_connections_dropped_total {self._dropped}",
                "# HELP process_resident_memory_bytes Resident memory.",
                "# TYPE process_resident_memory_bytes gauge",
                f"process_resident_memory_bytes {rss_bytes()}",
            ]
        return "\n".join(lines) + "\n"
