"""What the files of a box format say, before it is held against the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["BoxRow", "FoundBoxes", "PictureBoxes"]


class BoxRow(NamedTuple):
    """One box as its file has it."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    name: str
    """Of its class."""
    place: int
    """The line, or the entry of a list, that it stands in."""
    crowd: bool = False


@dataclass(frozen=True)
class PictureBoxes:
    """The boxes of one picture."""

    file: Path
    source: str
    """The file that says so."""
    rows: Sequence[BoxRow]
    stated: tuple[int, int] | None = None
    """(width, height) of the picture that was labelled, where the file says it."""
    part: str | None = None
    shares: bool = False
    """Whether the numbers are shares of the picture's sides, and not pixels."""
    unit: str = "line %d"

    def place(self, row: BoxRow) -> str:
        """`boxes.csv, line 7`."""
        return f"{self.source}, {self.unit % row.place}"


@dataclass
class FoundBoxes:
    """All pictures that a format's files label."""

    pictures: list[PictureBoxes] = field(default_factory=list)
    names: tuple[str, ...] = ()
    """The classes in their order, where the files have one."""
    numbered: bool = False
    """Whether the files have numbers for classes, and nothing says their names: each is called `number 3`."""
    says_parts: str = ""
    """What says which part a picture is of, where the files do."""
    assumed: list[str] = field(default_factory=list)
