"""One resolution run without a pause: how the latency goes when the device becomes warm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevit.documents import Record
from edgevit.errors import ProfileError
from edgevit.latency.measuring_conditions import COLDEST_C, Conditions, Doubt, read_doubt
from edgevit.latency.reliability import Reliability
from edgevit_runtime.resolution import Resolution

__all__ = ["Sustained", "SustainedSample"]


@dataclass(frozen=True)
class SustainedSample:
    """A stretch of the run: when it ended (seconds from the start), its median latency, what the sensors said then."""

    t_s: float
    latency_ms: float
    temperature_c: float | None = None
    mhz: float | None = None
    throttled: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        known = {"temperature_c": self.temperature_c, "mhz": self.mhz, "throttled": list(self.throttled) or None}
        return {
            "t_s": self.t_s,
            "ms": self.latency_ms,
            **{name: value for name, value in known.items() if value is not None},
        }

    @classmethod
    def from_record(cls, record: Record) -> SustainedSample:
        return cls(
            t_s=record.number("t_s"),
            latency_ms=record.number("ms"),
            temperature_c=record.number("temperature_c", least=COLDEST_C) if record.has("temperature_c") else None,
            mhz=record.number("mhz") if record.has("mhz") else None,
            throttled=record.texts("throttled") if record.has("throttled") else (),
        )


@dataclass(frozen=True)
class Sustained:
    """The run at `resolution` on `threads`, over `seconds`; samples ascend by time."""

    resolution: Resolution
    threads: int
    seconds: float
    runs: int
    first_ms: float
    """The median of the first seconds."""
    steady_ms: float
    """The median of the last quarter of the time."""
    drop: float
    """The share of the speed that was lost between them; below 0 where it became faster."""
    slower_from_s: float | None
    """Since when it was slower than at first by 5 % and stayed so; None: never."""
    trace: tuple[SustainedSample, ...]
    conditions: Conditions | None = None
    """Of the whole run."""
    doubtful: tuple[Doubt, ...] = ()
    """Why the loss may not be the heat's."""
    accelerator: str = "cpu"

    def __post_init__(self) -> None:
        if not self.trace:
            raise ProfileError("the sustained run has no samples: trace is empty")
        times = [each.t_s for each in self.trace]
        if times != sorted(times):
            raise ProfileError("the sustained run's trace is not in order of time")
        if not (self.first_ms > 0 and self.steady_ms > 0 and all(each.latency_ms > 0 for each in self.trace)):
            raise ProfileError("the sustained run's latencies must be above 0 ms")

    @property
    def trust(self) -> Reliability:
        """What speaks against the loss being the heat's."""
        return Reliability(tuple(dict.fromkeys(each.why for each in self.doubtful)))

    @property
    def coldest_c(self) -> float | None:
        return min((each.temperature_c for each in self.trace if each.temperature_c is not None), default=None)

    @property
    def hottest_c(self) -> float | None:
        return max((each.temperature_c for each in self.trace if each.temperature_c is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.resolution.to_fields(),
            "threads": self.threads,
            "accelerator": self.accelerator,
            "seconds": self.seconds,
            "runs": self.runs,
            "first_ms": self.first_ms,
            "steady_ms": self.steady_ms,
            "drop": self.drop,
            "slower_from_s": self.slower_from_s,
            **({} if self.conditions is None else {"conditions": self.conditions.to_dict()}),
            "doubtful": [each.to_dict() for each in self.doubtful],
            "trace": [each.to_dict() for each in self.trace],
        }

    @classmethod
    def from_record(cls, record: Record) -> Sustained:
        return cls(
            resolution=record.resolution(),
            threads=record.whole("threads", least=1),
            accelerator=record.text("accelerator") if record.has("accelerator") else "cpu",
            seconds=record.number("seconds"),
            runs=record.whole("runs", least=1),
            first_ms=record.number("first_ms"),
            steady_ms=record.number("steady_ms"),
            drop=record.number("drop", least=float("-inf"), most=1.0),
            slower_from_s=record.number("slower_from_s") if record.has("slower_from_s") else None,
            trace=tuple(SustainedSample.from_record(each) for each in record.records("trace")),
            conditions=Conditions.from_record(record.record("conditions")) if record.has("conditions") else None,
            doubtful=tuple(map(read_doubt, record.records("doubtful"))) if record.has("doubtful") else (),
        )
