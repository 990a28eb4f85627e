"""The labelled pictures that a model of a dense task is judged by, and how they are shown to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgevit.data.dense_set import DenseSet
from edgevit.errors import DataError, PictureError
from edgevit.run_pictures import run_pictures
from edgevit.tasks.task import Task
from edgevit.truths import EVERYTHING, TRUTHS, Showing, Shown
from edgevit_runtime.preprocess.pictures import loaded

__all__ = ["judged_pictures", "shown_pictures"]


def judged_pictures(
    task: type[Task], data: Path, labels: Sequence[str], who: str, options: Mapping[str, Any]
) -> DenseSet:
    """Those of a folder, or those that a training run held out. Raises `DataError`.

    labels, who: the model's own, and what to call it in messages; options: those of the task's reader, with
    `DenseHead.reading`.
    """
    kind, run = TRUTHS[task.truths], run_pictures(data)
    if run is None:
        return kind.read(data, labels, who, options)
    known: dict[str, Any] = {"part": EVERYTHING}
    if options.get("ignored_in_training") is None:
        known["ignored_in_training"] = run.ignored
    pictures = kind.read(run.data, labels, who, {**options, **known})
    kept = [index for index, file in enumerate(pictures.files) if file.resolve() in run.files]
    if not kept:
        raise DataError(f"{data}: none of the {len(run.files)} pictures that validated is in {run.data} any more")
    said = f"{data}: judged by the {len(kept)} pictures of {run.data} that validated"
    return replace(pictures.pick(kept), assumed=(said, *pictures.assumed))


def shown_pictures(
    task: type[Task], pictures: DenseSet, showing: Showing, on_unread: Callable[[Path, PictureError], None]
) -> Iterator[tuple[int, list[Shown] | None]]:
    """What a model sees of each picture, and what is true of it; None for one that cannot be read.

    on_unread: is told of each of those, and may raise the error.
    """
    kind = TRUTHS[task.truths]
    for index, file in enumerate(pictures.files):
        try:
            with loaded(file) as pixels:
                shown = kind.shown(pictures, index, pixels, showing)
        except PictureError as error:
            on_unread(file, error)
            yield index, None
        else:
            yield index, shown
