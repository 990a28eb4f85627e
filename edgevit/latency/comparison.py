"""Several profiles side by side: other devices, recipes, models, or the same thing after a change.

A ratio is of medians at the same resolution. A median that is larger by more than the limit counts as slower only
where the runs' scatter cannot explain it: the newcomer's fastest tenth (p10) lies above the first one's median, and
its median above the first one's slowest tenth (p90). So a noisy machine fails nobody, and a quiet one hides nothing.
Where a program told other percentiles (`Point.spread`), those are held against the medians: no others are made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path, PurePath
from typing import Any

from edgevit.documents import Record, check_each_once, read_json
from edgevit.errors import DocumentError, ProfileError, SlowerError
from edgevit.latency.point import Point
from edgevit.latency.profile import SCHEMA as PROFILE_SCHEMA
from edgevit.latency.profile import Profile
from edgevit.latency.profile_document import profile_from
from edgevit.latency.reliability import Reliability
from edgevit_runtime.resolution import Resolution

__all__ = ["SCHEMA", "Compared", "Comparison", "apart", "device_names", "profiles_in", "read_profiles"]

SCHEMA = "edgevit.comparison/1"


@dataclass(frozen=True)
class Compared:
    """A point beside the first profile's at the same resolution."""

    base: Point
    point: Point

    @property
    def ratio(self) -> float:
        """Of the medians; above 1 where the newcomer is the slower."""
        return self.point.median_ms / self.base.median_ms

    @property
    def trust(self) -> Reliability:
        """What speaks against either side."""
        return Reliability.of_all((self.base.trust, self.point.trust))

    @property
    def apart(self) -> bool:
        """Whether it is slower beyond the scatter of either side's runs."""
        return self.point.p10_ms > self.base.median_ms and self.point.median_ms > self.base.p90_ms

    def slower_by(self, limit: float) -> bool:
        """Whether it is slower by more than `limit` (a fraction), beyond the scatter."""
        return self.ratio > 1.0 + limit and self.apart


@dataclass(frozen=True)
class Comparison:
    """Profiles with a name for each; ratios are to the first."""

    profiles: tuple[Profile, ...]
    limit: float | None = None
    """What may be slower at most, as a fraction; None: nothing is judged."""

    def __post_init__(self) -> None:
        if not self.profiles:
            raise ProfileError("nothing to compare: name at least one profile")

    @property
    def labels(self) -> tuple[str, ...]:
        """What tells each profile from the others, in the fewest words; numbered where nothing does."""
        facts = [_facts(profile) for profile in self.profiles]
        # How the device is reached only where devices have the same processor; version and date only where the rest
        # tells two profiles not apart: before and after a change.
        machines = {(each.place, each.device_name) for each in self.profiles}
        usual = len(facts[0]) - 3 + (len(machines) > len({place for place, _ in machines}))
        count = next((count for count in range(usual, len(facts[0])) if _distinct(facts, count)), len(facts[0]))
        telling = [place for place in range(count) if len({each[place] for each in facts}) > 1] or [0]
        # What `edgevit-run` wrote on a device has no version and no date.
        names = [" · ".join(each[place] for place in telling if each[place]) or "undated" for each in facts]
        return tuple(
            f"{name} ({names[: index + 1].count(name)})" if names.count(name) > 1 else name
            for index, name in enumerate(names)
        )

    @property
    def resolutions(self) -> tuple[Resolution, ...]:
        """All that any profile has, ascending."""
        return tuple(sorted({point.resolution for profile in self.profiles for point in profile.points}))

    def at(self, index: int, resolution: Resolution) -> Compared | None:
        """A profile's point there; None unless both it and the first one have it."""
        base, point = (profile.point(resolution) for profile in (self.profiles[0], self.profiles[index]))
        return Compared(base, point) if base and point else None

    def ratio(self, index: int) -> float | None:
        """The geometric mean of a profile's ratios to the first, over the resolutions they share."""
        shared = [found.ratio for each in self.resolutions if (found := self.at(index, each))]
        return exp(sum(map(log, shared)) / len(shared)) if shared else None

    def slower(self) -> list[tuple[int, Compared]]:
        """What is slower by more than the limit: (the profile's place, the point)."""
        if self.limit is None:
            return []
        pairs = [(index, self.at(index, each)) for index in range(1, len(self.profiles)) for each in self.resolutions]
        return [(index, found) for index, found in pairs if found and found.slower_by(self.limit)]

    def check(self) -> None:
        """Raises `SlowerError`, naming what is slower and by how much; `ProfileError` where nothing can be judged."""
        if self.limit is None:
            return
        labels = self.labels
        if len(labels) < 2:
            raise ProfileError("slower than what? Name two profiles or more: the others are held against the first")
        for index, label in enumerate(labels):
            if self.ratio(index) is None:
                raise ProfileError(f"{label} has no resolution that {labels[0]} has: nothing can be held against it")
        found = self.slower()
        if found:
            told = [
                f"{labels[index]} at {each.point.resolution} by {each.ratio - 1.0:.0%} "
                f"({each.base.trust.mark}{each.base.median_ms:.3g} to "
                f"{each.point.trust.mark}{each.point.median_ms:.3g} ms)"
                for index, each in sorted(found, key=lambda item: -item[1].ratio)
            ]
            more = f" and {len(told) - 4} more" if len(told) > 4 else ""
            reason = Reliability.of_all(each.trust for _, each in found).reason
            again = f"; {reason}: measure again before you believe it" if reason else ""
            raise SlowerError(
                f"more than {100 * self.limit:g} % slower than {labels[0]}: {'; '.join(told[:4])}{more}{again}"
            )

    def to_dict(self) -> dict[str, Any]:
        """edgevit.comparison/1."""
        return {
            "schema": SCHEMA,
            "profiles": [profile.to_dict() for profile in self.profiles],
            "series": [
                {"label": label, "ratio": self.ratio(index), "points": self._points(index)}
                for index, label in enumerate(self.labels)
            ],
            "fail_slower": self.limit,
            "slower": [
                {
                    "label": self.labels[index],
                    **each.point.resolution.to_fields(),
                    "ratio": each.ratio,
                    **each.trust.to_dict(),
                }
                for index, each in self.slower()
            ],
        }

    def _points(self, index: int) -> list[dict[str, Any]]:
        return [
            {
                **point.resolution.to_fields(),
                "median_ms": point.median_ms,
                "ratio": found.ratio if (found := self.at(index, point.resolution)) else None,
                "apart": found.apart if found else None,
            }
            for point in self.profiles[index].points
        ]


def read_profiles(paths: Sequence[Path]) -> tuple[Profile, ...]:
    """The profiles in files: an edgevit.profile/1 holds one, an edgevit.comparison/1 several.

    Raises `DocumentError` for a file that is neither, or named twice.
    """
    check_each_once(paths)
    found: list[Profile] = []
    for path in paths:
        found += profiles_in(read_json(path))
    return tuple(found)


def profiles_in(record: Record) -> list[Profile]:
    """The profiles of a document. Raises `DocumentError` for one that is neither of the two."""
    schema = record.values.get("schema")
    if schema == PROFILE_SCHEMA:
        return list(apart(profile_from(record)))
    if schema == SCHEMA:
        return [one for each in record.records("profiles") for one in apart(profile_from(each))]
    raise DocumentError(
        f"{record.where} holds a document of schema {schema!r}, not {PROFILE_SCHEMA} or {SCHEMA}"
        if schema
        else f"{record.where} holds JSON without a schema, not {PROFILE_SCHEMA}"
    )


def apart(profile: Profile) -> tuple[Profile, ...]:
    """A profile for each number of threads that one was measured on."""
    return tuple(replace(each, others=()) for each in profile.series)


def device_names(profiles: Sequence[Profile]) -> tuple[str, ...]:
    """What to call each profile's device: its board or processor, how it is reached where several have the same."""
    machines = {(each.place, each.device_name) for each in profiles}
    places = [place for place, _ in machines]
    alone = len(set(places)) == 1
    return tuple(
        each.place if places.count(each.place) == 1 else " · ".join([each.place] * (not alone) + [each.device_name])
        for each in profiles
    )


def _distinct(facts: Sequence[tuple[str, ...]], count: int) -> bool:
    return len({each[:count] for each in facts}) == len(facts)


def _facts(profile: Profile) -> tuple[str, ...]:
    what = PurePath(profile.model).name, profile.recipe, profile.runs_on
    return *what, profile.place, profile.device_name, profile.edgevit or "", _when(profile)


def _when(profile: Profile) -> str:
    return (profile.measured_at or "").replace("T", " ").removesuffix("+00:00")
