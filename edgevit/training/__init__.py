"""Training: `start_model` and `train`, on `Examples` from a folder or from memory; `run` does what the command does."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevit.training.epoch import Epoch
    from edgevit.training.examples import ArrayExamples, FolderExamples
    from edgevit.training.loop import Resumption, TrainResult, start_model, train
    from edgevit.training.presets import PRESETS
    from edgevit.training.spec import TrainSpec

__all__ = [
    "PRESETS",
    "ArrayExamples",
    "Epoch",
    "FolderExamples",
    "Resumption",
    "TrainResult",
    "TrainSpec",
    "start_model",
    "train",
]

_ROOMS = {
    "PRESETS": "presets",
    "ArrayExamples": "examples",
    "Epoch": "epoch",
    "FolderExamples": "examples",
    "Resumption": "loop",
    "TrainResult": "loop",
    "TrainSpec": "spec",
    "start_model": "loop",
    "train": "loop",
}


def __getattr__(name: str) -> Any:
    """Loads TensorFlow only for who trains: what a run is asked for is checked without."""
    if name in _ROOMS:
        return getattr(importlib.import_module(f"edgevit.training.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
