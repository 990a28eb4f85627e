"""Training: `start_model` and `train`, on `Examples` from a folder or from memory."""

from edgevit.training.examples import ArrayExamples, FolderExamples
from edgevit.training.fit import Epoch, TrainResult, TrainSpec, start_model, train

__all__ = ["ArrayExamples", "Epoch", "FolderExamples", "TrainResult", "TrainSpec", "start_model", "train"]
