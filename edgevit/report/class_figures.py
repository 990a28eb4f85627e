"""What a training run's document says of each class, where its task has such a figure (`Task.class_figure`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevit.tasks import TASKS

__all__ = ["ClassFigures"]


@dataclass(frozen=True)
class ClassFigures:
    """At one resolution, the worst class first; classes that no validation picture has stand last."""

    heading: str
    resolution: int | str
    """As documents have it."""
    rows: tuple[tuple[str, float | None], ...]
    """A class's label and its share, 0..1."""
    noun: str = "class"
    """What one of them is: a class, or a point."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> ClassFigures | None:
        """Those under `iou_by_class`, of which each class has its `iou`; or as the task's figure is called."""
        task = TASKS.get(document.get("task", "classify"))  # none is of image-text, which is no task of an artefact
        figure = None if task is None else task.class_figure
        if figure is None or figure.key not in document:
            return None
        found, key = document[figure.key], figure.key.partition("_by_")[0]
        rows = [(row["label"], row[key]) for row in found["classes"]]
        ordered = sorted(rows, key=lambda row: 2.0 if row[1] is None else row[1])
        return cls(figure.heading, found["resolution"], tuple(ordered), figure.noun)
