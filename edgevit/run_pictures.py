"""The pictures that a training run of a dense task held out: a model is judged by what it has not learned from."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import DataError
from edgevit_runtime.wording import counted

__all__ = ["RunPictures", "run_pictures", "trained_notes"]

SPLIT, SUMMARY = "split.csv", "summary.json"


@dataclass(frozen=True)
class RunPictures:
    """The folder with labels that a run was given, and which of its pictures validated."""

    data: Path
    files: frozenset[Path]
    """Resolved."""
    task: str = "classify"
    """What the run trained for."""
    ignored: int | str | None = None
    """Of masks: the class, or the value, that did not count; None: 255 alone, or the run does not say."""


def run_pictures(path: Path) -> RunPictures | None:
    """For a run's folder or the split.csv in it; None for anything else. Raises `DataError` for a damaged one."""
    folder = path.parent if path.name == SPLIT else path
    split, summary = folder / SPLIT, folder / SUMMARY
    if not (split.is_file() and summary.is_file()):
        return None
    try:
        document = json.loads(summary.read_text(encoding="utf-8"))
        parts = _parts(split)
        data, task = Path(str(document["data"])), str(document.get("task", "classify"))
        held_out, ignored = _of("val", parts), document.get("spec", {}).get("ignored")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} is not the whole folder of a training run: {split.name}, {summary.name}") from error
    if not data.exists():
        raise DataError(f"{folder} was trained on {data}, which is not there; run this where the training ran")
    return RunPictures(data, held_out, task, ignored if isinstance(ignored, int | str) else None)


def trained_notes(models: Iterable[Path], files: Sequence[Path]) -> tuple[str, ...]:
    """A line for each model that learned from some of these pictures, as the folder of its run beside it says."""
    said: dict[Path, str] = {}
    shown = [file.resolve() for file in files]
    for model in models:
        run = model.with_suffix(".run")
        with suppress(OSError, ValueError, KeyError, TypeError):  # a model stands without its run
            trained = _of("train", _parts(run / SPLIT))
            if seen := sum(file in trained for file in shown):
                said.setdefault(
                    run,
                    f"{seen} of these {counted(len(shown), 'picture')} trained {model}: it looks better than it is; by "
                    f"those that it did not learn from: edgevit evaluate {model} {run}",
                )
    return tuple(said.values())


def _parts(split: Path) -> list[tuple[Path, str]]:
    """(picture, part) by the split.csv of a run, of a classifier's, too. Raises `OSError`, `ValueError`, `KeyError`."""
    with split.open(newline="", encoding="utf-8") as lines:
        return [(Path(row["file"]), row["split"] if "split" in row else row["part"]) for row in csv.DictReader(lines)]


def _of(part: str, parts: Sequence[tuple[Path, str]]) -> frozenset[Path]:
    return frozenset(file.resolve() for file, of in parts if of == part)
