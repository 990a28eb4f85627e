"""Labelled pictures: files and their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit_runtime.preprocess.picture_folders import left_out_line

__all__ = ["PictureSet"]


@dataclass(frozen=True)
class PictureSet:
    """Picture files and their class indices, in one order; `labels` are the class names by index, where known."""

    root: Path
    files: tuple[Path, ...]
    classes: tuple[int, ...]
    labels: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    """(kind, number) of the pictures in the folders that cannot be read here."""
    assumed: tuple[str, ...] = ()
    """What was made of the folder that it does not say itself, a line each."""

    def pick(self, indices: Sequence[int]) -> PictureSet:
        """The pictures at `indices`, in that order."""
        files = tuple(self.files[index] for index in indices)
        return replace(self, files=files, classes=tuple(self.classes[index] for index in indices))

    def counts(self) -> dict[int, int]:
        """Class index -> number of pictures."""
        present, numbers = np.unique(self.classes, return_counts=True)
        return {int(index): int(number) for index, number in zip(present, numbers, strict=True)}

    def name(self, index: int) -> str:
        """What a class is called, or else its number."""
        return self.labels[index] if index < len(self.labels) else str(index)

    def notes(self) -> tuple[str, ...]:
        """What somebody who gave the folder should be told of it, a line each."""
        left_out = left_out_line(dict(self.left_out))
        return (*self.assumed, *((f"{self.root}: {left_out}",) if left_out else ()))
