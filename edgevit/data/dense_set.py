"""What the sets of the dense tasks (masks, boxes, points) have in common: pictures, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from edgevit.data.label_problem import LabelProblem
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import left_out_line

__all__ = ["DenseSet"]


@dataclass(frozen=True, kw_only=True)
class DenseSet:
    """Picture files with more than a class for each, in one order."""

    BY_PICTURE: ClassVar[tuple[str, ...]] = ("files",)
    """The fields that have an entry for each picture."""

    root: Path
    files: tuple[Path, ...]
    labels: tuple[str, ...] = ()
    """The class names by index."""
    problems: tuple[LabelProblem, ...] = ()
    """What labels were changed or dropped, counted."""
    assumed: tuple[str, ...] = ()
    """What was made of the folder that it does not say itself, a line each."""
    left_out: tuple[tuple[str, int], ...] = ()
    """(kind, number) of the pictures in the folder that cannot be read here."""

    def pick(self, indices: Sequence[int]) -> Self:
        """The pictures at `indices`, in that order."""
        picked: dict[str, Any] = {}
        for name in self.BY_PICTURE:
            entries = getattr(self, name)
            picked[name] = tuple(entries[index] for index in indices)
        return replace(self, **picked)

    def halved(self, train: Collection[Path]) -> tuple[Self, Self]:
        """The pictures that train, and all others; what is to be said stands in the first.

        Raises `DataError` where one of the two is empty.
        """
        halves: list[list[int]] = [[], []]
        for index, file in enumerate(self.files):
            halves[file not in train].append(index)
        for half, name in zip(halves, ("train", "validate"), strict=True):
            if not half:
                raise DataError(f"{self.root}: none of the pictures that {name} can be read")
        first, second = map(self.pick, halves)
        return first, replace(second, problems=(), assumed=(), left_out=())

    def name(self, index: int) -> str:
        """What a class is called, or else its number."""
        return self.labels[index] if index < len(self.labels) else str(index)

    def notes(self) -> tuple[str, ...]:
        """What somebody who gave the folder should be told of it, a line each."""
        left_out = left_out_line(dict(self.left_out))
        said = [f"{self.root}: {each}" for each in (*self.problems, left_out) if each]
        return (*self.assumed, *said)
