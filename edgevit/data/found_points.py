"""What files of keypoints say, before it is held against the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIDDEN", "UNLABELLED", "VISIBLE", "FoundPoints", "PicturePoints", "Subject"]

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2
"""A point's third number, as COCO has it."""


@dataclass(frozen=True)
class Subject:
    """One person, animal or thing and its points."""

    points: NDArray[np.float64]
    """[points, 3]: x, y, and whether it is seen."""
    place: int
    """The line, or the entry of a list, that it begins in."""
    box: tuple[float, float, float, float] | None = None
    """xmin, ymin, xmax, ymax, where the file has it."""
    area: float | None = None
    """Of its outline in square pixels, where the file has it."""


@dataclass(frozen=True)
class PicturePoints:
    """The subjects of one picture."""

    file: Path
    source: str
    """The file that says so."""
    subjects: Sequence[Subject]
    stated: tuple[int, int] | None = None
    """(width, height) of the picture that was labelled, where the file says it."""
    part: str | None = None
    unit: str = "line %d"

    def place(self, subject: Subject) -> str:
        """`points.csv, line 7`."""
        return f"{self.source}, {self.unit % subject.place}"


@dataclass
class FoundPoints:
    """All pictures that files of keypoints label."""

    pictures: list[PicturePoints] = field(default_factory=list)
    names: tuple[str, ...] = ()
    """Of the points, in their order."""
    skeleton: tuple[tuple[int, int], ...] = ()
    """The points, counted from 0, between which a line is drawn."""
    label: str = ""
    """What the subjects are, where the files say it."""
    says_parts: str = ""
    """What says which part a picture is of, where the files do."""
    assumed: list[str] = field(default_factory=list)
