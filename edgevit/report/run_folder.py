"""What a training run leaves beside its model: history, summary and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgevit.files import write_bytes, write_text
from edgevit.report.charts.classes_chart import classes_png
from edgevit.report.charts.training_charts import confusion_png, curves_png
from edgevit.report.class_figures import ClassFigures
from edgevit.report.text.training_history import history_csv

__all__ = ["RunFolder"]


class RunFolder:
    """The folder `plants.run` of `plants.keras`; the trainer makes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def history(self, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Writes history.csv anew: after each epoch, so that a run can be watched."""
        write_text(self.path / "history.csv", history_csv(epochs))

    def finish(self, document: Mapping[str, Any]) -> None:
        """Writes what stays: history.csv, summary.json, curves.png; confusion.png where classes were counted, and
        classes.png where each has a figure of its own."""
        self.history(document["epochs"])
        write_text(self.path / "summary.json", json.dumps(document, indent=2) + "\n")
        write_bytes(self.path / "curves.png", curves_png(document))
        if "confusion" in document:
            write_bytes(self.path / "confusion.png", confusion_png(document))
        if figures := ClassFigures.of(document):
            write_bytes(self.path / "classes.png", classes_png(document, figures))
