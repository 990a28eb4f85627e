"""What an artefact's outputs mean: one file a task, with its manifest entry, its result and `Model`'s methods."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.signature import Signature, parts_of
from edgevit_runtime.tasks.task import Answer, OnePicture, Task, TryOut, how_to_add

TASKS: dict[str, str] = {
    "classify": "edgevit_runtime.tasks.classify",
    "features": "edgevit_runtime.tasks.features",
    "embed": "edgevit_runtime.tasks.embed",
    "segment": "edgevit_runtime.tasks.segment",
    "detect": "edgevit_runtime.tasks.detect",
    "keypoints": "edgevit_runtime.tasks.keypoints",
}
"""Task -> the module that reads it: `read`, `decode`, `COMMANDS` for those of `edgevit-run`, `TRY_OUT`, and
`ONE_PICTURE` where `watch` and `serve` answer for it."""
JOINT = "edgevit_runtime.tasks.joint"
"""The module of the tasks that join several of these: `read` and `COMMANDS`."""


def read_task(name: str, entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Task:
    """What a manifest says of one task, checked against its signatures.

    Raises `EdgeViTError` for a task that this runtime does not know, `ValueError` and the like for a damaged entry.
    """
    unknown = [each for each in parts_of(name) if each not in TASKS]
    if unknown:
        raise EdgeViTError(
            f"the task {unknown[0]!r} is not known to this runtime (known: {', '.join(TASKS)}): upgrade edgevit-runtime"
        )
    task: Task = importlib.import_module(TASKS.get(name, JOINT)).read(entry, signatures)
    return task


def decode(task: Task, answer: Answer) -> Any:
    """An answer of a task as the task's own method would give it, with that method's defaults."""
    return importlib.import_module(TASKS[task.name]).decode(task, answer)


def answering(path: str, tasks: Sequence[str]) -> dict[str, OnePicture]:
    """How those of an artefact's tasks answer that `watch` and `serve` can ask, the one that is meant first.

    path: of the artefact. Raises `EdgeViTError` where there is none among them.
    """
    found = {name: getattr(importlib.import_module(TASKS[name]), "ONE_PICTURE", None) for name in TASKS}
    known = {name: each for name, each in found.items() if each is not None}
    held = sorted((name for name in tasks if name in known), key=lambda name: name != "classify")
    if not held:
        raise EdgeViTError(
            f"{path} has no task {' or '.join(known)} (it has {', '.join(tasks)}): "
            f"{how_to_add(next(iter(known)), tasks)}"
        )
    return {name: known[name] for name in held}


def drawings_of(tasks: Sequence[str]) -> dict[str, Callable[[Any, Any, Any], Any]]:
    """What draws those tasks' results (`OnePicture.drawn`), in the order in which one goes over the other."""
    found = {
        name: getattr(importlib.import_module(TASKS[name]), "ONE_PICTURE", None) for name in TASKS if name in tasks
    }
    return {name: each.drawn for name, each in found.items() if each is not None and each.drawn is not None}


def try_out_of(name: str) -> TryOut:
    """How the task of that name is tried."""
    try_out: TryOut = importlib.import_module(TASKS[name]).TRY_OUT
    return try_out
