"""Where a run stands, on disk: enough to go on after a kill as if nothing had happened."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import TrainingError
from edgevit.files import write_bytes

FILE = "state.npz"
META = "meta.json"


@dataclass
class State:
    """`step` batches are done; `losses` are those of the epoch that is under way."""

    request: dict[str, Any]
    """What was asked for: a run goes on only under the same."""
    begun: dict[str, Any] = field(default_factory=dict)
    """What else the user gave when it began, which is taken over when they go on: `taken_over`. Empty in the state of
    an older edgevit."""
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    best: int | None = None
    """The number of the best epoch, whose weights lie in the output."""
    temperature: dict[str, Any] | None = None
    """What the best epoch's logits were divided by: a `ScoreTemperature`."""
    single: int | None = None
    """How many of the first steps stay at one resolution, however long the run becomes."""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether all epochs that were asked for are done."""
        return bool(len(self.epochs) >= self.request.get("epochs", float("inf")))

    def write(self, folder: Path) -> None:
        """Puts the state into `folder`, whole or not at all. Raises `ConfigError` when the disk is full."""
        meta = {key: value for key, value in vars(self).items() if key != "arrays"}
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, **{META: text}, **self.arrays)
        write_bytes(folder / FILE, buffer.getvalue())


def read(folder: Path, *, arrays: bool = True) -> State | None:
    """The state of the run in `folder`; None where there is none. Raises `TrainingError` for a damaged one.

    arrays: False leaves the weights on disk, which takes a moment instead of a second.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in (archive.files if arrays else [META])}
        meta = json.loads(found.pop(META).tobytes())
        return State(**meta, arrays=found)
    except Exception as error:  # zip, numpy and JSON raise whatever the damage meets first
        raise TrainingError(f"{path} is damaged ({error}); --restart begins anew") from error


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """`learning_rate was 0.001 and is 0.01`, for the first entry that differs; None where all is the same.

    A list that a run of an older edgevit did not know, and that is empty, is the same.
    """
    for key in {**before, **now}:
        if key not in before and now[key] == []:
            continue
        if key == "files" and before.get(key) != now.get(key):  # a digest, which says nothing to anybody
            return "the pictures are others than they were"
        if before.get(key) != now.get(key):
            return f"{key} was {before.get(key)!r} and is {now.get(key)!r}"
    return None
