"""How right a classifier's artefact is, beside the float model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit
from converters.artefact.file_writer import OnStep
from converters.search.drop import Drop
from converters.search.validation import Validation, asking
from edgevit.accuracy import Answers, Scores, ask
from edgevit.data.class_names import numbered_as
from edgevit.data.folders import decode_batches, read_folder
from edgevit.errors import DataError
from edgevit.model import ViT
from edgevit.tasks.classify import Classify, compared
from edgevit_runtime.resolution import Resolution

BATCH = 32


class ClassValidation(Validation):
    """Pictures of the model's classes. Its answers are `edgevit.accuracy.Answers`."""

    def __init__(
        self,
        model: ViT,
        data: str | Path,
        *,
        labels: Sequence[str] | None = None,
        resize: str | None = None,
        on_picture: OnStep = lambda _what, _done, _total: None,
    ) -> None:
        """labels: in place of the model's own. Raises `DataError` for a set without usable labels."""
        super().__init__(Classify, model, data, resize, on_picture)
        config = model.config
        names = tuple(labels or config.labels)
        self.pictures = numbered_as(read_folder(data, names, config.label_keys), "the model", config.classes, names)
        self._exact: dict[Resolution, Answers] = {}

    @property
    def files(self) -> Sequence[Path]:
        return self.pictures.files

    def notes(self) -> Sequence[str]:
        return tuple(self.pictures.notes())

    def exact(self, resolution: Resolution) -> Answers:
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
        _, height, width, _ = audited.input.shape
        with asking(flatbuffer, audited) as outputs:
            return self._answers(what, lambda images: outputs(images)["scores"], Resolution(width, height))

    def figures(self, answers: Answers) -> dict[str, float]:
        return {"top1": answers.top1, "top5": answers.top5}

    def drop(self, exact: Answers, ours: Answers) -> Drop:
        return Drop.of(compared(exact, ours))

    def _answers(self, what: str, scores: Scores, resolution: Resolution) -> Answers:
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            self.on_picture(what, done, len(self.files))

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
            raise DataError(f"none of the {len(self.files)} pictures in {self.data} can be read")
        return found
