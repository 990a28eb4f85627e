"""Where a resolution's time goes by kind of operator, for profiles that say so (`edgevit profile --ops`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgevit.latency.profile import Profile
from edgevit.report import words

__all__ = ["OperatorRow", "operator_rows"]

# Kind of `edgevit_runtime.litert_profiler` -> (what it is called, role of its colour).
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

    resolution: int
    parts: tuple[tuple[str, str, float, str], ...]


def operator_rows(profile: Profile) -> list[OperatorRow]:
    """The rows that are known. Attention's time holds the quadratic part; here it is taken apart."""
    return [
        OperatorRow(point.resolution, parts)
        for point in profile.points
        if point.ops_ms and (parts := _parts(point.ops_ms))
    ]


def _parts(ops_ms: Mapping[str, float]) -> tuple[tuple[str, str, float, str], ...]:
    spent = dict(ops_ms)
    if "attention" in spent:
        spent["projections"] = max(0.0, spent.pop("attention") - spent.get("quadratic", 0.0))
    whole = sum(spent.values())
    if whole <= 0.0:
        return ()
    order = [kind for kind in _KINDS if kind in spent] + sorted(set(spent) - set(_KINDS))
    parts = []
    for kind in order:
        name, role = _KINDS.get(kind, (kind, "ink"))
        parts.append((role, name, round(100.0 * spent[kind] / whole, 1), words.ms(spent[kind])))
    return tuple(parts)
