"""How good an artefact is before it is written: beside the float model, on the same labelled pictures."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, Runner
from converters.artefact.file_writer import OnStep
from converters.search.drop import Drop
from edgevit.model import ViT
from edgevit.tasks.task import Outputs, Task
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution

RUNNERS = 4
"""At most so many interpreters answer at a time, a thread each."""


class Validation(ABC):
    """A set of pictures that are labelled for one task, and what the float model answers on them, asked once.

    What it says of a model is its `Answers`: whatever the task needs to hold one model against another.
    """

    def __init__(self, task: type[Task], model: ViT, data: str | Path, resize: str | None, on_picture: OnStep) -> None:
        """resize: in place of the model's own policy."""
        self.task, self.model, self.data, self.on_picture = task, model, Path(data), on_picture
        self.resize = resize or model.config.resize
        parse_policy(self.resize)
        self.skipped: set[Path] = set()

    @property
    @abstractmethod
    def files(self) -> Sequence[Path]:
        """All its pictures, whether they can be read or not."""

    @abstractmethod
    def notes(self) -> Sequence[str]:
        """What somebody who gave the folder should be told of it, a line each."""

    @abstractmethod
    def exact(self, resolution: Resolution) -> Any:
        """The float model's answers. Raises `DataError` where none is right: then the labels are another model's."""

    @abstractmethod
    def answers(self, what: str, flatbuffer: bytes, audited: RungAudit) -> Any:
        """A single-signature flatbuffer's, at its resolution; `what` it is called while that goes on."""

    @abstractmethod
    def figures(self, answers: Any) -> Mapping[str, float]:
        """The task's figures, by their keys; those that are known."""

    @abstractmethod
    def drop(self, exact: Any, ours: Any) -> Drop:
        """What the artefact loses."""

    @property
    def name(self) -> str:
        """The folder's."""
        return self.data.resolve().name

    @property
    def count(self) -> int:
        """Of the pictures that could be read, once a model was asked."""
        return len(self.files) - len(self.skipped)

    def metric(self, answers: Any) -> float:
        """The figure that the task goes by."""
        return self.figures(answers)[self.task.metric]

    def entry(self, resolution: Resolution, ours: Any) -> dict[str, Any]:
        """What the manifest says of an artefact's accuracy at one resolution, in fractions."""
        exact = self.exact(resolution)
        return {
            **resolution.to_fields(),
            **self.figures(ours),
            "float": dict(self.figures(exact)),
            **self.drop(exact, ours).to_dict(),
        }

    def described(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The manifest's `accuracy`."""
        return {
            "task": self.task.name,
            "metric": self.task.metric,
            "set": self.name,
            "pictures": self.count,
            "resize": self.resize,
            "results": list(results),
        }


@contextmanager
def asking(flatbuffer: bytes, audited: RungAudit) -> Iterator[Callable[[NDArray[np.uint8]], Outputs]]:
    """What gives a flatbuffer's outputs for pictures [n, H, W, 3], each [n, ...], by several interpreters at a time."""
    workers = max(1, min(RUNNERS, os.cpu_count() or 1))
    runners: SimpleQueue[Runner] = SimpleQueue()
    for _ in range(workers):
        runners.put(Runner.of(flatbuffer, audited))

    def one(image: NDArray[np.uint8]) -> Outputs:
        runner = runners.get()
        try:
            return runner.outputs(image)
        finally:
            runners.put(runner)

    with ThreadPoolExecutor(workers) as pool:

        def ask(images: NDArray[np.uint8]) -> Outputs:
            found = list(pool.map(one, images))
            return {name: np.stack([each[name] for each in found]) for name in found[0]}

        yield ask
