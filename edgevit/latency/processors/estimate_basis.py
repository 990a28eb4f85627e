"""How an estimate of a profile came about: `estimate` in its document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevit.documents import Record
from edgevit_runtime.resolution import Resolution

__all__ = ["EstimateBasis"]


@dataclass(frozen=True)
class EstimateBasis:
    """Of a whole profile."""

    processor: str
    """As `--estimate` takes it."""
    board: str
    ghz: float
    factor: float
    """Real time over that of the cycles."""
    least_error: float
    """How much slower than the cycles alone boards were at least, as a fraction."""
    most_error: float
    """And at most."""
    source: str
    """Where the kernels' rates stand."""
    cycles: tuple[tuple[Resolution, int], ...]
    """Of one inference."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "processor": self.processor,
            "board": self.board,
            "ghz": self.ghz,
            "factor": self.factor,
            "boards_slower_than_cycles": [self.least_error, self.most_error],
            "source": self.source,
            "points": [{**each.to_fields(), "cycles": count} for each, count in self.cycles],
        }

    @classmethod
    def from_record(cls, record: Record) -> EstimateBasis:
        low, high = record.numbers("boards_slower_than_cycles")
        return cls(
            processor=record.text("processor"),
            board=record.text("board"),
            ghz=record.number("ghz"),
            factor=record.number("factor"),
            least_error=low or 0.0,
            most_error=high or 0.0,
            source=record.text("source"),
            cycles=tuple((each.resolution(), each.whole("cycles")) for each in record.records("points")),
        )
