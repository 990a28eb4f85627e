"""Precision over recall of each class, from evaluations of boxes that say it (`precision_recall`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from edgevit.documents import Record, read_json
from edgevit.errors import DocumentError
from edgevit_runtime.resolution import Resolution

__all__ = ["ClassCurve", "PrecisionCurves", "read_precision_curves"]

RECALLS = 101
"""Precisions of each class: at recalls of 0, 0.01, ... 1."""


@dataclass(frozen=True)
class ClassCurve:
    """Of one class the precision at each recall, 0..1."""

    label: str
    precisions: tuple[float, ...]

    @property
    def average(self) -> float:
        """Which is its average precision at that overlap."""
        return sum(self.precisions) / len(self.precisions)


@dataclass(frozen=True)
class PrecisionCurves:
    """Of one model, at one resolution. `overlap`: from which on a box counts as found."""

    model: str
    resolution: Resolution
    overlap: float
    classes: tuple[ClassCurve, ...]
    """The worst first; those of which there was nothing to find are left out."""


def read_precision_curves(paths: Sequence[Path]) -> tuple[PrecisionCurves, ...]:
    """Those of the evaluations among the files. Raises `DocumentError` for ones that cannot be shown."""
    documents = [read_json(path) for path in paths]
    return tuple(_read(each) for each in documents if each.has("precision_recall"))


def _read(document: Record) -> PrecisionCurves:
    record, labels = document.record("precision_recall"), document.texts("labels")
    found = record.values.get("precision_by_class")
    if not isinstance(found, list) or len(found) != len(labels):
        raise DocumentError(f"{record.where}: precision_by_class must be a list with {len(labels)} entries, as labels")
    curves = [_curve(label, each, record.where) for label, each in zip(labels, found, strict=True) if each is not None]
    return PrecisionCurves(
        PurePath(document.text("model")).name,
        record.resolution(),
        record.number("overlap", most=1.0),
        tuple(sorted(curves, key=lambda each: each.average)),
    )


def _curve(label: str, value: object, where: str) -> ClassCurve:
    key = f"precision_by_class of {label}"
    precisions = [each for each in Record({key: value}, where).numbers(key, most=1.0) if each is not None]
    if len(precisions) != RECALLS:
        raise DocumentError(f"{where}: {key} must be {RECALLS} numbers, not {len(precisions)}")
    return ClassCurve(label, tuple(precisions))
