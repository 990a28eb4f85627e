"""Training: `start_model` and `train`, on `Examples` from a folder or from memory; `run` does what the command does."""

from edgevit.training.examples import ArrayExamples, FolderExamples
from edgevit.training.loop import Epoch, Resumption, TrainResult, start_model, train
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
