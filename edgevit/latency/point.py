"""One measured point: what a resolution cost in time and memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, ClassVar

from edgevit.documents import Record
from edgevit.errors import ProfileError
from edgevit.latency.cost import Cost
from edgevit.latency.measuring_conditions import Conditions, Doubt, read_doubt
from edgevit.latency.reliability import Reliability
from edgevit_runtime.resolution import Resolution

__all__ = ["TENTHS", "Point", "common_patch"]

TENTHS = "p10..p90"


PREFIXES = (1, 2, 5, 9)
"""Tokens in front of the patches: a class token; with a distillation token; with 4 registers, or 8."""


@dataclass(frozen=True)
class Point:
    """Latency of one resolution over `runs` timed runs, after warm-up."""

    resolution: Resolution
    tokens: int
    """N = (W / patch)(H / patch) + 1; one more where the model has a distillation token."""
    macs: Cost
    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    """0 where nothing ran: an estimate."""
    peak_rss_bytes: int | None
    """The process's peak while this ran, the whole ladder loaded; None where the system does not tell."""
    p95_ms: float | None = None
    """None in documents of older versions."""
    spread: str = TENTHS
    """Which percentiles `p10_ms` and `p90_ms` are: TFLite's own program tells the nearest, `p5..p95`."""
    stable: bool = True
    """Whether the median had settled when the time for it was up."""
    doubtful: tuple[Doubt, ...] = ()
    """Why it may not be the device's own latency."""
    conditions: Conditions | None = None
    ops_ms: Mapping[str, float] | None = None
    """ms by part of the model, where the operators' times were asked for; `quadratic` is within `attention`."""

    def __post_init__(self) -> None:
        if not 0.0 < self.p10_ms <= self.median_ms <= self.p90_ms:
            raise ProfileError(
                f"resolution {self.resolution}: latencies must be above 0 and in order p10 <= median <= p90, "
                f"not {self.p10_ms:g}, {self.median_ms:g}, {self.p90_ms:g} ms"
            )
        if self.p95_ms is not None and self.p95_ms < self.p90_ms:
            raise ProfileError(
                f"resolution {self.resolution}: p95 must be at least p90, not {self.p95_ms:g} after {self.p90_ms:g} ms"
            )
        if not re.fullmatch(r"p\d{1,2}\.\.p\d{1,2}", self.spread):
            raise ProfileError(f"resolution {self.resolution}: spread must be as {TENTHS}, not {self.spread!r}")
        if self._patches() is None:
            raise ProfileError(
                f"resolution {self.resolution} cannot have {self.tokens} tokens: "
                "that is no (W / patch)(H / patch) + 1 (or + 2)"
            )

    def _patches(self) -> tuple[int, int] | None:
        """(patch, prefix) that make so many tokens of the resolution; None where nothing does.

        Of 1 and 2 there is one such pair at most: two grids of whole patches over the same picture never differ by one
        patch. By 3 or more they do in pictures of a few patches alone.
        """
        for prefix in PREFIXES:
            count = self.tokens - prefix
            if count > 0 and self.resolution.pixels % count == 0:
                patch = isqrt(self.resolution.pixels // count)
                whole = not (self.resolution.width % patch or self.resolution.height % patch)
                if whole and patch**2 * count == self.resolution.pixels:
                    return patch, prefix
        return None

    @property
    def prefix(self) -> int:
        """Tokens in front of the patches: one of `PREFIXES`."""
        found = self._patches()
        assert found is not None
        return found[1]

    @property
    def patch(self) -> int:
        """Pixels along one side of a patch."""
        found = self._patches()
        assert found is not None
        return found[0]

    @property
    def latency_ms(self) -> float:
        return self.median_ms

    @property
    def late_ms(self) -> float:
        """What the slow runs take: p95, or p90 in older documents."""
        return self.p90_ms if self.p95_ms is None else self.p95_ms

    @property
    def late_name(self) -> str:
        """Which percentile `late_ms` is: `p95` or `p90`."""
        return self.spread.partition("..")[2] if self.p95_ms is None else "p95"

    @property
    def size(self) -> float:
        return float(self.tokens)

    predicted: ClassVar[bool] = False
    accuracy: ClassVar[None] = None
    """A profile alone knows of none."""

    @property
    def trust(self) -> Reliability:
        """What speaks against it: an unsettled median, a device that was not as it should be."""
        return Reliability(tuple(dict.fromkeys(each.why for each in self.doubtful)), self.stable)

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.trust.mark

    def to_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            **self.resolution.to_fields(),
            "tokens": self.tokens,
            "macs": {"linear": self.macs.linear_macs, "attention": self.macs.attention_macs},
            "latency_ms": {
                "median": self.median_ms,
                "p10": self.p10_ms,
                "p90": self.p90_ms,
                **({} if self.p95_ms is None else {"p95": self.p95_ms}),
                "runs": self.runs,
                "stable": self.stable,
            },
            "peak_rss_bytes": self.peak_rss_bytes,
            "doubtful": [each.to_dict() for each in self.doubtful],
        }
        if self.spread != TENTHS:
            document["latency_ms"]["spread"] = self.spread
        if self.conditions is not None:
            document["conditions"] = self.conditions.to_dict()
        return document if self.ops_ms is None else {**document, "ops_ms": dict(self.ops_ms)}

    @classmethod
    def from_record(cls, record: Record) -> Point:
        """Reads one entry of `points` in edgevit.profile/1."""
        macs, latency = record.record("macs"), record.record("latency_ms")
        return cls(
            resolution=record.resolution(),
            tokens=record.whole("tokens", least=2),
            macs=Cost(macs.whole("linear"), macs.whole("attention")),
            median_ms=latency.number("median"),
            p10_ms=latency.number("p10"),
            p90_ms=latency.number("p90"),
            runs=latency.whole("runs"),
            p95_ms=latency.number("p95") if latency.has("p95") else None,
            peak_rss_bytes=record.whole("peak_rss_bytes") if record.has("peak_rss_bytes") else None,
            spread=latency.text("spread") if latency.has("spread") else TENTHS,
            stable=latency.flag("stable") if latency.has("stable") else True,
            doubtful=tuple(map(read_doubt, record.records("doubtful"))) if record.has("doubtful") else (),
            conditions=Conditions.from_record(record.record("conditions")) if record.has("conditions") else None,
            ops_ms=_read_ops(record.record("ops_ms")) if record.has("ops_ms") else None,
        )


def _read_ops(record: Record) -> dict[str, float]:
    return {part: record.number(part) for part in record.values}


def common_patch(points: tuple[Point, ...]) -> int:
    """The points' patch size. Raises `ProfileError` for no point, a resolution twice, or two patch sizes."""
    if not points:
        raise ProfileError("nothing was measured: there is no point at all")
    resolutions = [point.resolution for point in points]
    if len(set(resolutions)) < len(resolutions):
        raise ProfileError(f"a resolution was measured twice: {', '.join(map(str, resolutions))}")
    patches = {point.patch for point in points}
    if len(patches) > 1:
        raise ProfileError(f"points of several models: patch sizes {', '.join(map(str, sorted(patches)))}")
    if len({point.prefix for point in points}) > 1:
        raise ProfileError(
            "points of several models: some have more tokens in front (N = (W / patch)(H / patch) + 2, say) than others"
        )
    return patches.pop()
