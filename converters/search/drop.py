"""What an artefact loses against the float model on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevit.statistics import Z_95


@dataclass(frozen=True)
class Drop:
    """In fractions (0.003 is 0.3 points)."""

    lost: float
    """Float's figure, by the task's metric, less the artefact's: negative where that is better."""
    low: float
    high: float
    """The ends of its paired 95 % interval, as if the pictures were drawn at random."""
    agreement: float | None
    """None where neither is sure of anything, so that there is nothing to agree on."""

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Drop:
        """Of what a task's judge says of another model than the first, which is right somewhere."""
        return cls(result["drop"], result["drop_low"], result["drop_high"], result["agreement"])

    @property
    def points(self) -> float:
        return 100.0 * self.lost

    @property
    def standard_error(self) -> float:
        """That the interval stands for."""
        return (self.high - self.low) / (2.0 * Z_95)

    def to_dict(self) -> dict[str, float | None]:
        return {
            "drop": self.lost,
            "drop_low": self.low,
            "drop_high": self.high,
            "drop_standard_error": self.standard_error,
            "agreement": self.agreement,
        }
