"""What an artefact's outputs mean: one file a task, with its manifest entry, its result and `Model`'s methods."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import Task, TryOut

TASKS: dict[str, str] = {
    "classify": "edgevit_runtime.tasks.classify",
    "features": "edgevit_runtime.tasks.features",
    "segment": "edgevit_runtime.tasks.segment",
    "detect": "edgevit_runtime.tasks.detect",
    "keypoints": "edgevit_runtime.tasks.keypoints",
}
"""Task -> the module that reads it: `read`, `COMMANDS` for those of `edgevit-run`, and `TRY_OUT`."""


def read_task(name: str, entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Task:
    """What a manifest says of one task, checked against its signatures.

    Raises `EdgeViTError` for a task that this runtime does not know, `ValueError` and the like for a damaged entry.
    """
    if name not in TASKS:
        raise EdgeViTError(
            f"the task {name!r} is not known to this runtime (known: {', '.join(TASKS)}): upgrade edgevit-runtime"
        )
    task: Task = importlib.import_module(TASKS[name]).read(entry, signatures)
    return task


def try_out_of(name: str) -> TryOut:
    """How the task of that name is tried."""
    try_out: TryOut = importlib.import_module(TASKS[name]).TRY_OUT
    return try_out
