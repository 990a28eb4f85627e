"""What label files have that cannot be used as it stands: counted, and said with the first of each kind."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["BOXES", "LabelProblem", "ProblemCounter"]

BOXES = ("box", "boxes")


@dataclass(frozen=True)
class LabelProblem:
    """One kind of problem."""

    what: str
    """And what was done about it: `dropped as empty`."""
    nouns: tuple[str, str]
    """One, and several: (box, boxes)."""
    first: str
    """Where the first one stands: a file, and a line of it."""
    count: int = 1

    def __str__(self) -> str:
        """`2 boxes dropped as empty (first: boxes.csv, line 7)`."""
        first = "first: " if self.count > 1 else ""
        return f"{self.count} {self.nouns[self.count > 1]} {self.what} ({first}{self.first})"


class ProblemCounter:
    """Counts them while label files are read."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[str, str]], LabelProblem] = {}

    def add(self, what: str, nouns: tuple[str, str], first: str) -> None:
        """One more; `first` counts for the first of its kind only."""
        known = self._found.get((what, nouns))
        more = replace(known, count=known.count + 1) if known else LabelProblem(what, nouns, first)
        self._found[what, nouns] = more

    def problems(self) -> tuple[LabelProblem, ...]:
        """In the order in which the first of each was met."""
        return tuple(self._found.values())
