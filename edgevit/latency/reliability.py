"""What speaks against a latency: the mark that stands before it wherever it is shown, and the reason in few words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgevit_runtime.measure.conditions import REASONS

__all__ = ["ESTIMATE", "SURE", "Reliability"]

ESTIMATE = "estimate"
"""The `Doubt.why` of a latency that nobody measured: `edgevit.latency.processors` made it of counts."""


@dataclass(frozen=True)
class Reliability:
    """Of one latency, measured or predicted; a prediction is worth no more than the points that it stands on."""

    whys: tuple[str, ...] = ()
    """Why it may not be the device's own, as `Doubt.why`."""
    settled: bool = True
    """Whether its median had settled in the time given."""

    @property
    def mark(self) -> str:
        """`≈` where it is an estimate, `?` where it is doubtful, `~` where it had not settled; several or nothing."""
        return f"{'≈' if ESTIMATE in self.whys else ''}{'?' if self._doubts else ''}{'' if self.settled else '~'}"

    @property
    def _doubts(self) -> list[str]:
        return [why for why in self.whys if why != ESTIMATE]

    @property
    def reason(self) -> str | None:
        """What the mark means here, without a full stop; None where there is no mark."""
        told = ["≈ estimated, not measured"] if ESTIMATE in self.whys else []
        told += [f"? doubtful: {', '.join(REASONS.get(why, why) for why in self._doubts)}"] if self._doubts else []
        return "; ".join([*told, *([] if self.settled else ["~ not settled in the time given"])]) or None

    def to_dict(self) -> dict[str, Any]:
        """Keys for a document's row; empty where nothing speaks against it."""
        return {"doubtful": list(self.whys), "stable": self.settled} if self.mark else {}

    @classmethod
    def of_all(cls, several: Iterable[Reliability]) -> Reliability:
        """What speaks against any of several, each reason once."""
        found = tuple(several)
        whys = dict.fromkeys(why for each in found for why in each.whys)
        return cls(tuple(whys), all(each.settled for each in found))


SURE = Reliability()
"""Nothing speaks against it."""
