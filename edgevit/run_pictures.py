"""The pictures that a training run of a dense task held out: a model is judged by what it has not learned from."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import DataError

__all__ = ["RunPictures", "run_pictures"]

SPLIT, SUMMARY = "split.csv", "summary.json"


@dataclass(frozen=True)
class RunPictures:
    """The folder with labels that a run was given, and which of its pictures validated."""

    data: Path
    files: frozenset[Path]
    """Resolved."""
    task: str = "classify"
    """What the run trained for."""


def run_pictures(path: Path) -> RunPictures | None:
    """For a run's folder or the split.csv in it; None for anything else. Raises `DataError` for a damaged one."""
    folder = path.parent if path.name == SPLIT else path
    split, summary = folder / SPLIT, folder / SUMMARY
    if not (split.is_file() and summary.is_file()):
        return None
    try:
        document = json.loads(summary.read_text(encoding="utf-8"))
        with split.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        data, task = Path(str(document["data"])), str(document.get("task", "classify"))
        held_out = frozenset(Path(row["file"]).resolve() for row in rows if row["split"] == "val")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} is not the whole folder of a training run: {split.name}, {summary.name}") from error
    if not data.exists():
        raise DataError(f"{folder} was trained on {data}, which is not there; run this where the training ran")
    return RunPictures(data, held_out, task)
