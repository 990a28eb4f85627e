"""How good an artefact's masks, boxes or points are, beside the float model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artefact.audit import RungAudit
from converters.artefact.file_writer import OnStep
from converters.search.drop import Drop
from converters.search.validation import Validation, asking
from edgevit.dense_pictures import judged_pictures, shown_pictures
from edgevit.errors import DataError
from edgevit.model import ViT
from edgevit.tasks import TASKS
from edgevit.tasks.task import Outputs
from edgevit.truths import TRUTHS, Showing, Shown
from edgevit_runtime.resolution import Resolution

BATCH = 8
KEPT_BYTES = 1 << 30
"""Of what the float model puts out at one resolution, so that it need not be asked again for each artefact."""


@dataclass(frozen=True)
class DenseAnswers:
    """What one model's answers came to."""

    figures: Mapping[str, float]
    """Those of the task that are known."""
    drop: Drop | None = None
    """Of an artefact; None of the float model."""


class DenseValidation(Validation):
    """Pictures with masks, boxes or points, as `edgevit evaluate` reads them. Its answers are `DenseAnswers`."""

    def __init__(
        self,
        model: ViT,
        data: str | Path,
        task: str,
        *,
        resize: str | None = None,
        on_picture: OnStep = lambda _what, _done, _total: None,
    ) -> None:
        """Raises `ConfigError` for a model without the task's head, `DataError` for a set without usable labels."""
        super().__init__(TASKS[task], model, data, resize, on_picture)
        self._asked = self.task.of(model.config, {})
        head = model.config.dense_head(task)
        assert head is not None  # `of` would have raised
        self._margin = head.margin
        self._judging = {TRUTHS[self.task.truths].named: head.labels}
        self.pictures = judged_pictures(self.task, self.data, head.labels, "the model", head.reading)
        self._exact: dict[Resolution, DenseAnswers] = {}
        self._kept: dict[Resolution, list[Outputs]] = {}
        """The float model's outputs, batch by batch, as many as there is room for."""

    @property
    def files(self) -> Sequence[Path]:
        return self.pictures.files

    def notes(self) -> Sequence[str]:
        return self.pictures.notes()

    def exact(self, resolution: Resolution) -> DenseAnswers:
        if resolution not in self._exact:
            (found,) = self._results("float", resolution)
            answers = self._answers(found)
            heading = self.task.figures[0].heading
            if not answers.figures.get(self.task.metric):
                raise DataError(
                    f"the float model at {resolution} px has {heading} {answers.figures.get(self.task.metric, 0.0):g} "
                    f"on the {self.count} pictures of {self.data}, and nothing to lose: is it trained for these?"
                )
            self._exact[resolution] = answers
        return self._exact[resolution]

    def answers(self, what: str, flatbuffer: bytes, audited: RungAudit) -> DenseAnswers:
        _, height, width, _ = audited.input.shape
        resolution = Resolution(width, height)
        self.exact(resolution)  # refuses what cannot be judged, and keeps what the float model puts out
        with asking(flatbuffer, audited) as ask:
            _, ours = self._results(what, resolution, ask)
        return self._answers(ours)

    def figures(self, answers: DenseAnswers) -> Mapping[str, float]:
        return answers.figures

    def drop(self, exact: DenseAnswers, ours: DenseAnswers) -> Drop:
        assert ours.drop is not None  # it is an artefact's
        return ours.drop

    def _answers(self, result: Mapping[str, Any]) -> DenseAnswers:
        known = {each.key: result[each.key] for each in self.task.figures if result.get(each.key) is not None}
        return DenseAnswers(known, Drop.of(result) if "drop" in result else None)

    def _results(
        self, what: str, resolution: Resolution, ask: Callable[[NDArray[np.uint8]], Outputs] | None = None
    ) -> list[dict[str, Any]]:
        """What the task's judge says of the float model, and of what `ask` asks. Raises `DataError`."""
        judge = self.task.judge(1 if ask is None else 2, self._judging)
        number = -1
        for number, shown in enumerate(self._batches(what, resolution)):
            images = np.stack([image for image, _ in shown])
            outputs = [self._float_outputs(resolution, number, images)]
            if ask is not None:
                outputs.append(ask(images))
            judge.add(outputs, [truth for _, truth in shown])
        if number < 0:
            raise DataError(f"none of the {len(self.files)} pictures in {self.data} can be read")
        return judge.results()

    def _float_outputs(self, resolution: Resolution, number: int, images: NDArray[np.uint8]) -> Outputs:
        """Those that are kept, or else new ones, kept where there is room."""
        kept = self._kept.setdefault(resolution, [])
        if number < len(kept):
            return kept[number]
        found = self._asked.expected(self.model, images)
        taken = sum(values.nbytes for outputs in (*kept, found) for values in outputs.values())
        if number == len(kept) and taken <= KEPT_BYTES:
            kept.append(found)
        return found

    def _batches(self, what: str, resolution: Resolution) -> Iterator[list[Shown]]:
        showing = Showing(resolution, self.resize, self.model.config.fill, self._margin)
        batch: list[Shown] = []
        for index, shown in shown_pictures(
            self.task, self.pictures, showing, lambda file, _error: self.skipped.add(file)
        ):
            batch += shown or ()
            if len(batch) >= BATCH:
                yield batch
                batch = []
            self.on_picture(what, index + 1, len(self.files))
        if batch:
            yield batch
