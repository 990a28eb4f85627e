"""Where a resolution's time goes by kind of operator, for profiles that say so (`edgevit profile --ops`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from edgevit.latency.profile import Profile
from edgevit.report.text import formatting
from edgevit_runtime.resolution import Resolution

__all__ = ["OperatorRow", "operator_rows", "operators_doubt"]

FURTHEST = 0.2
"""The operators are timed in a run of their own: where their sum is further off the median, the shares are doubtful."""

# Kind of `edgevit_runtime.measure.operator_times` -> (what it is called, role of its colour).
_KINDS = {
    "quadratic": ("attention's products and softmax", "quadratic"),
    "projections": ("attention's linear layers", "other"),
    "mlp": ("MLP with GELU", "linear"),
    "norm": ("norms", "budget"),
    "rest": ("patches, residuals, head", "constant"),
}


@dataclass(frozen=True)
class OperatorRow:
    """One resolution: (role, name, share in percent, ms as text) of each kind, in the order of `_KINDS`."""

    resolution: Resolution
    parts: tuple[tuple[str, str, float, str], ...]
    sum_ms: float
    times: float
    """The sum over the median of the whole: 1 where both runs had the device alike.

    And of profiles on several threads: the operators are timed on one, and their sum has nothing to be held against.
    """

    @property
    def mark(self) -> str:
        """`?` where the sum is off the median."""
        return "?" if abs(self.times - 1.0) > FURTHEST else ""


def operator_rows(profile: Profile) -> list[OperatorRow]:
    """The rows that are known. Attention's time holds the quadratic part; here it is taken apart."""
    rows = []
    for point in profile.points:
        spent = _spent(point.ops_ms or {})
        whole = sum(spent.values())
        if whole > 0.0:
            times = whole / point.median_ms if profile.threads == 1 else 1.0
            rows.append(OperatorRow(point.resolution, _parts(spent, whole), whole, times))
    return rows


def operators_doubt(rows: Sequence[OperatorRow]) -> str | None:
    """What the marks of the sums mean, and how far off the worst is; None where there is none."""
    marked = [row for row in rows if row.mark]
    if not marked:
        return None
    worst = max(marked, key=lambda row: abs(log(row.times)))
    return (
        f"? The operators were timed in a run of their own, and at {', '.join(str(row.resolution) for row in marked)} "
        f"their sum is off the median by more than {100 * FURTHEST:.0f} % "
        f"({worst.times:.2g} times it at {worst.resolution}): "
        "load in one of the runs, or what timing so short operators costs"
    )


def _spent(ops_ms: Mapping[str, float]) -> dict[str, float]:
    """ms by kind, none within another."""
    spent = dict(ops_ms)
    if "attention" in spent:
        spent["projections"] = max(0.0, spent.pop("attention") - spent.get("quadratic", 0.0))
    return spent


def _parts(spent: Mapping[str, float], whole: float) -> tuple[tuple[str, str, float, str], ...]:
    order = [kind for kind in _KINDS if kind in spent] + sorted(set(spent) - set(_KINDS))
    parts = []
    for kind in order:
        name, role = _KINDS.get(kind, (kind, "ink"))
        parts.append((role, name, round(100.0 * spent[kind] / whole, 1), formatting.ms(spent[kind])))
    return tuple(parts)
