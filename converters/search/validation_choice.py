"""Which of an artefact's tasks a folder of labelled pictures judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converters.artefact.file_writer import OnStep
from converters.search.class_validation import ClassValidation
from converters.search.dense_validation import DenseValidation
from converters.search.validation import Validation
from edgevit.judged_task import judged_task
from edgevit.model import ViT
from edgevit.tasks import judged_by_labels


def open_validation(
    model: ViT,
    data: str | Path,
    tasks: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    resize: str | None = None,
    on_picture: OnStep = lambda _what, _done, _total: None,
) -> Validation:
    """labels: the classes' names in place of the model's own; tasks: those that the artefact is to hold.

    Raises `ConversionError` where none of them can be judged by labels, `DataError`, `ConfigError`.
    """
    task = validated_task(tasks, Path(data))
    if task == "classify":
        return ClassValidation(model, data, labels=labels, resize=resize, on_picture=on_picture)
    return DenseValidation(model, data, task, resize=resize, on_picture=on_picture)


def validated_task(tasks: Sequence[str], data: Path) -> str:
    """The one that pictures are labelled for. Raises `ConversionError`, `DataError`."""
    able = judged_by_labels(tasks)
    otherwise = f"give a folder that is labelled for one of them, or convert one alone (--task {able[0]})"
    return judged_task(able, data, "the artefact answers", otherwise)
