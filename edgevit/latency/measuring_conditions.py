"""Under which conditions a device was measured, as its sensors told; `edgevit_runtime.measure.conditions` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, TypeVar

from edgevit.documents import Record
from edgevit_runtime.measure.conditions import Doubt

__all__ = ["COLDEST_C", "Conditions", "Cooling", "Doubt", "read_doubt"]

COLDEST_C = -273.15
"""Nothing is colder."""
_T = TypeVar("_T")


def read_doubt(record: Record) -> Doubt:
    """Why a point may not be the device's own latency, from its document."""
    return Doubt(record.text("why"), record.text("detail"))


@dataclass(frozen=True)
class Conditions:
    """What the sensors said while a point ran; None where they do not tell."""

    before_c: float | None = None
    """Before its first burst of runs, °C."""
    after_c: float | None = None
    """After its last one."""
    hottest_c: float | None = None
    busy_mhz: float | None = None
    """The clock of the fastest processors in use, right after bursts: the median."""
    before_mhz: tuple[float | None, ...] = ()
    """Of each cluster, before the first burst."""
    after_mhz: tuple[float | None, ...] = ()
    throttled: tuple[str, ...] | None = None
    """What slowed it, by name; empty: nothing did."""
    other_cores: float | None = None
    """Processors that others used meanwhile."""
    steal: float | None = None
    """The share of the time that a hypervisor gave to other machines, 0 to 1."""

    def to_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {}
        if self.hottest_c is not None:
            document["temperature_c"] = {"before": self.before_c, "after": self.after_c, "max": self.hottest_c}
        if self.busy_mhz is not None:
            before, after = list(self.before_mhz), list(self.after_mhz)
            document["mhz"] = {"before": before, "after": after, "busy": self.busy_mhz}
        if self.throttled is not None:
            document["throttled"] = list(self.throttled)
        if self.other_cores is not None:
            document["other_cores"] = self.other_cores
        return document if self.steal is None else {**document, "steal": self.steal}

    @classmethod
    def from_record(cls, record: Record) -> Conditions:
        heat = record.record("temperature_c") if record.has("temperature_c") else Record({}, record.where)
        clock = record.record("mhz") if record.has("mhz") else Record({}, record.where)

        def celsius(key: str) -> float | None:
            return heat.number(key, least=COLDEST_C) if heat.has(key) else None

        return cls(
            before_c=celsius("before"),
            after_c=celsius("after"),
            hottest_c=heat.number("max", least=COLDEST_C) if heat.values else None,
            busy_mhz=clock.number("busy") if clock.values else None,
            before_mhz=clock.numbers("before") if clock.has("before") else (),
            after_mhz=clock.numbers("after") if clock.has("after") else (),
            throttled=record.texts("throttled") if record.has("throttled") else None,
            other_cores=record.number("other_cores") if record.has("other_cores") else None,
            steal=record.number("steal", most=1.0) if record.has("steal") else None,
        )

    @classmethod
    def of_rounds(cls, rounds: Sequence[Conditions]) -> Conditions:
        """Of one point over several rounds, from before the first to after the last. What no round tells is None."""
        first, last = rounds[0], rounds[-1]
        mhz, others = _known(each.busy_mhz for each in rounds), _known(each.other_cores for each in rounds)
        steal, throttled = _known(each.steal for each in rounds), _known(each.throttled for each in rounds)
        return cls(
            before_c=first.before_c,
            after_c=last.after_c,
            hottest_c=max(_known(each.hottest_c for each in rounds), default=None),
            busy_mhz=median(mhz) if mhz else None,
            before_mhz=first.before_mhz,
            after_mhz=last.after_mhz,
            throttled=tuple(dict.fromkeys(name for each in throttled for name in each)) if throttled else None,
            other_cores=fmean(others) if others else None,
            steal=fmean(steal) if steal else None,
        )


@dataclass(frozen=True)
class Cooling:
    """The pauses that were made so that the device stayed cool, in seconds."""

    limit_s: float
    pauses: int
    paused_s: float
    gave_up: bool
    """Whether it was hot once more when the time for pauses was used up."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "limit_s": self.limit_s,
            "pauses": self.pauses,
            "paused_s": self.paused_s,
            "gave_up": self.gave_up,
        }

    @classmethod
    def from_record(cls, record: Record) -> Cooling:
        return cls(
            limit_s=record.number("limit_s"),
            pauses=record.whole("pauses"),
            paused_s=record.number("paused_s"),
            gave_up=record.flag("gave_up"),
        )

    @classmethod
    def of_rounds(cls, rounds: Sequence[Cooling]) -> Cooling:
        """All the pauses of several rounds."""
        return cls(
            limit_s=sum(each.limit_s for each in rounds),
            pauses=sum(each.pauses for each in rounds),
            paused_s=sum(each.paused_s for each in rounds),
            gave_up=any(each.gave_up for each in rounds),
        )


def _known(values: Iterable[_T | None]) -> list[_T]:
    return [each for each in values if each is not None]
