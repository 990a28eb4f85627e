"""How right an artefact is before it is written: beside the float model, on the same labelled pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, Runner
from converters.artefact.file_writer import OnStep
from edgevit.accuracy import Answers, Scores, ask
from edgevit.config import ViTConfig
from edgevit.data.class_names import numbered_as
from edgevit.data.folders import decode_batches, read_folder
from edgevit.errors import DataError
from edgevit.model import ViT
from edgevit.statistics import Z_95, paired_interval
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution

BATCH = 32
RUNNERS = 4
"""At most so many interpreters answer at a time, a thread each."""


@dataclass(frozen=True)
class Drop:
    """What an artefact loses against float on the same pictures, in fractions (0.003 is 0.3 points)."""

    top1: float
    """Float's top-1 less the artefact's: negative where that is better."""
    low: float
    high: float
    """The ends of its 95 % interval, as if the pictures were drawn at random: `statistics.paired_interval`."""
    agreement: float

    @classmethod
    def between(cls, exact: Answers, ours: Answers) -> Drop:
        only_exact, only_ours = int((exact.right & ~ours.right).sum()), int((ours.right & ~exact.right).sum())
        ends = paired_interval(only_exact, only_ours, exact.count)
        return cls((only_exact - only_ours) / exact.count, *ends, exact.agreement(ours))

    @property
    def standard_error(self) -> float:
        """That the interval stands for."""
        return (self.high - self.low) / (2.0 * Z_95)

    def to_dict(self) -> dict[str, float]:
        return {
            "drop": self.top1,
            "drop_low": self.low,
            "drop_high": self.high,
            "drop_standard_error": self.standard_error,
            "agreement": self.agreement,
        }


class Validation:
    """A set of labelled pictures, and what the float model answers on them at each resolution, asked once."""

    def __init__(
        self,
        model: ViT,
        data: str | Path,
        *,
        labels: Sequence[str] | None = None,
        resize: str | None = None,
        on_picture: OnStep = lambda _what, _done, _total: None,
    ) -> None:
        """labels, resize: in place of the model's own. Raises `DataError` for a set without usable labels."""
        config: ViTConfig = model.config
        self.model, self.data, self.on_picture = model, Path(data), on_picture
        self.resize = resize or config.resize
        parse_policy(self.resize)
        names = tuple(labels or config.labels)
        found = read_folder(data, names, config.label_keys)
        self.pictures = numbered_as(found, "the model", config.classes, names)
        self.skipped: set[Path] = set()
        self._exact: dict[Resolution, Answers] = {}

    @property
    def name(self) -> str:
        """The folder's."""
        return self.data.resolve().name

    def exact(self, resolution: Resolution) -> Answers:
        """The float model's. Raises `DataError` where it is never right: then the labels are another model's."""
        if resolution not in self._exact:

            def scores(images: NDArray[np.uint8]) -> NDArray[Any]:
                return np.asarray(self.model(images, training=False))

            found = self._answers("float", scores, resolution)
            if not found.right.any():
                raise DataError(
                    f"the float model at {resolution} px is right on none of the {len(found.votes)} pictures of "
                    f"{self.data}: are its labels this model's classes?"
                )
            self._exact[resolution] = found
        return self._exact[resolution]

    def answers(self, what: str, flatbuffer: bytes, audited: RungAudit) -> Answers:
        """A single-signature flatbuffer's, at its resolution, by several interpreters at a time."""
        workers = max(1, min(RUNNERS, os.cpu_count() or 1))
        runners: SimpleQueue[Runner] = SimpleQueue()
        for _ in range(workers):
            runners.put(Runner(flatbuffer, audited))

        def one(image: NDArray[np.uint8]) -> NDArray[np.float32]:
            runner = runners.get()
            try:
                return runner.scores(image)
            finally:
                runners.put(runner)

        _, height, width, _ = audited.input.shape
        with ThreadPoolExecutor(workers) as pool:
            asked = Resolution(width, height)
            return self._answers(what, lambda images: np.stack(list(pool.map(one, images))), asked)

    def _answers(self, what: str, scores: Scores, resolution: Resolution) -> Answers:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            self.on_picture(what, done, len(self.pictures.files))

        batches = decode_batches(
            self.pictures,
            resolution,
            self.resize,
            BATCH,
            fill=self.model.config.fill,
            on_skip=lambda file, _error: self.skipped.add(file),
        )
        found = ask(scores, batches, told)
        if not found.count:
            raise DataError(f"none of the {len(self.pictures.files)} pictures in {self.data} can be read")
        return found

    def entry(self, resolution: Resolution, ours: Answers) -> dict[str, Any]:
        """What the manifest says of an artefact's accuracy at one resolution, in fractions."""
        exact = self.exact(resolution)
        return {
            **resolution.to_fields(),
            "top1": ours.top1,
            "top5": ours.top5,
            "float": {"top1": exact.top1, "top5": exact.top5},
            **Drop.between(exact, ours).to_dict(),
        }

    @property
    def count(self) -> int:
        """Of the pictures that could be read, once a model was asked."""
        return len(self.pictures.files) - len(self.skipped)

    def described(self, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The manifest's `accuracy`."""
        return {"set": self.name, "pictures": self.count, "resize": self.resize, "results": list(results)}
