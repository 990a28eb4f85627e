"""The few pictures that a sensitivity analysis looks at, with what is true of them where that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.quantize.calibration import calibration_images
from edgevit.config import ViTConfig
from edgevit.dense_pictures import shown_pictures
from edgevit.errors import DataError, PictureError
from edgevit.run_pictures import run_pictures
from edgevit.tasks import TASKS
from edgevit.tasks.task import Outputs, Task
from edgevit.truths import EVERYTHING, TRUTHS, Showing, Shown
from edgevit_runtime.resolution import Resolution

Judging = Callable[[Outputs, Outputs], dict[str, Any]]
"""The float model's outputs of all pictures, and others -> what the task's judge says of the others."""


@dataclass(frozen=True)
class LookedAtPictures:
    images: NDArray[np.uint8]
    """[n, H, W, 3]: the pictures as the model sees them, of keypoints perhaps several crops of one."""
    judge: Judging | None = None
    """Where they are labelled for a task whose labels are more than classes."""
    assumed: tuple[str, ...] = ()


def look_at(
    config: ViTConfig, task: str, data: Path, files: Sequence[Path], resolution: Resolution
) -> LookedAtPictures:
    """files: some of those below `data`, all readable."""
    found = TASKS[task]
    if found.truths not in TRUTHS:
        return LookedAtPictures(_plain(config, files, resolution))
    try:
        shown, judging = _labelled(config, found, data, files, resolution)
    except DataError as error:
        said = f"no labels to judge {found.figures[0].heading} by, only what is put out is compared: {error}"
        return LookedAtPictures(_plain(config, files, resolution), assumed=(said,))

    def judge(exact: Outputs, others: Outputs) -> dict[str, Any]:
        judge = found.judge(2, judging)
        judge.add([exact, others], [truth for _, truth in shown])
        first, second = judge.results()
        compared = {key: second[key] for key in ("agreement", "drop", "drop_low", "drop_high")}
        return {found.metric: second[found.metric], f"float_{found.metric}": first[found.metric], **compared}

    return LookedAtPictures(np.stack([image for image, _ in shown]), judge)


def _plain(config: ViTConfig, files: Sequence[Path], resolution: Resolution) -> NDArray[np.uint8]:
    return np.concatenate(list(calibration_images(files, resolution, config.resize, config.fill)))


def _labelled(
    config: ViTConfig, task: type[Task], data: Path, files: Sequence[Path], resolution: Resolution
) -> tuple[list[Shown], Mapping[str, Any]]:
    """What the model is shown of the files, and how they are judged. Raises `DataError` where they have no labels."""
    head, kind, run = config.dense_head(task.name), TRUTHS[task.truths], run_pictures(data)
    assert head is not None  # the model has the task
    root, wanted = run.data if run else data, {file.resolve() for file in files}
    pictures = kind.read(root, head.labels, "the model", {**head.reading, "part": EVERYTHING})
    kept = [index for index, file in enumerate(pictures.files) if file.resolve() in wanted]
    if not kept:
        raise DataError(f"{root}: none of the {len(files)} pictures looked at has labels")

    def unread(_file: Path, error: PictureError) -> None:
        raise error

    showing = Showing(resolution, config.resize, config.fill, head.margin)
    found = shown_pictures(task, pictures.pick(kept), showing, unread)
    return [each for _, shown in found for each in shown or ()], {kind.named: head.labels}
