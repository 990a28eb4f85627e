"""How right an artefact is before it is written: beside the float model, on the same labelled pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit, Runner
from edgevit.config import ViTConfig
from edgevit.data.folders import decode_batches, read_folder
from edgevit.errors import DataError
from edgevit.model import ViT
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution

BATCH = 32
RUNNERS = 4
"""At most so many interpreters answer at a time, a thread each."""
OnPicture = Callable[[str, int, int], None]
"""Told (what answers, pictures done, pictures in all)."""


@dataclass(frozen=True)
class Answers:
    """Of one model on one set: which class it names, [n], and whether it is right with one guess and with five."""

    votes: NDArray[np.int64]
    right: NDArray[np.bool_]
    right5: NDArray[np.bool_]

    @property
    def top1(self) -> float:
        return float(self.right.mean())

    @property
    def top5(self) -> float:
        return float(self.right5.mean())

    def pick(self, indices: Any) -> Answers:
        """On some of the pictures."""
        return Answers(self.votes[indices], self.right[indices], self.right5[indices])


@dataclass(frozen=True)
class Drop:
    """What an artefact loses against float on the same pictures, in fractions (0.003 is 0.3 points)."""

    top1: float
    """Float's top-1 less the artefact's: negative where that is better."""
    standard_error: float
    """Of `top1`, paired: as if the pictures were drawn at random."""
    agreement: float

    @classmethod
    def between(cls, exact: Answers, ours: Answers) -> Drop:
        differences = exact.right.astype(np.float64) - ours.right
        error = float(differences.std() / np.sqrt(len(differences)))
        return cls(float(differences.mean()), error, float((exact.votes == ours.votes).mean()))

    def to_dict(self) -> dict[str, float]:
        return {"drop": self.top1, "drop_standard_error": self.standard_error, "agreement": self.agreement}


class Validation:
    """A set of labelled pictures, and what the float model answers on them at each resolution, asked once."""

    def __init__(
        self,
        model: ViT,
        data: str | Path,
        *,
        labels: Sequence[str] | None = None,
        resize: str | None = None,
        on_picture: OnPicture = lambda _what, _done, _total: None,
    ) -> None:
        """labels, resize: in place of the model's own. Raises `DataError` for a set without usable labels."""
        config: ViTConfig = model.config
        self.model, self.data, self.on_picture = model, Path(data), on_picture
        self.resize = resize or config.resize
        parse_policy(self.resize)
        self.pictures = read_folder(data, tuple(labels or config.labels), config.label_keys)
        if max(self.pictures.classes) >= config.classes:
            raise DataError(f"{data} has a class {max(self.pictures.classes)}, and the model knows {config.classes}")
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

    def _answers(self, what: str, scores: Callable[[Any], NDArray[Any]], resolution: Resolution) -> Answers:
        votes, right, right5, done = [], [], [], 0
        batches = decode_batches(
            self.pictures, resolution, self.resize, BATCH, on_skip=lambda file, _error: self.skipped.add(file)
        )
        for images, truths in batches:
            best = np.argsort(-scores(images), axis=1, kind="stable")[:, :5]
            votes.append(best[:, 0])
            right.append(best[:, 0] == truths)
            right5.append((best == truths[:, None]).any(axis=1))
            done += len(images)
            self.on_picture(what, done, len(self.pictures.files))
        if not votes:
            raise DataError(f"none of the {len(self.pictures.files)} pictures in {self.data} can be read")
        return Answers(np.concatenate(votes), np.concatenate(right), np.concatenate(right5))

    def entry(self, resolution: Resolution, ours: Answers) -> dict[str, Any]:
        """What the manifest says of an artefact's accuracy at one resolution, in fractions."""
        exact = self.exact(resolution)
        return {
            "resolution": resolution.to_json(),
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
