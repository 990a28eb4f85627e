"""Labelled pictures as they are shown to models: which could be read, and what the judge of each resolution saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.folders import PictureSet, decode_batches
from edgevit.errors import DataError, PictureError
from edgevit.mistakes import mistakes as find_mistakes
from edgevit.picture_record import PictureRecord, picture_order
from edgevit.predictors import Predictor
from edgevit.tasks import Task
from edgevit.tasks.task import Judge, Outputs
from edgevit_runtime.resolution import Resolution

OnPicture = Callable[[int, int], None]
"""Told (pictures done, pictures in all), over all resolutions."""

BATCH = 32
"""Pictures decoded and scored together."""


class ShownPictures:
    """The pictures, and the models that they are shown to."""

    def __init__(
        self, task: type[Task], predictors: Sequence[Predictor], policy: str, strict: bool, on_picture: OnPicture
    ) -> None:
        self.task, self.predictors, self.policy = task, predictors, policy
        self.strict, self.on_picture = strict, on_picture
        self.pictures = PictureSet(Path(), (), (), ())
        self.gallery: PictureSet | None = None
        self.skipped: dict[Path, PictureError] = {}
        self.read: list[list[int]] = []
        """For each resolution which of the pictures could be read, by index."""
        self.count = self.done = self.total = 0

    def judged(self, judges: Mapping[Resolution, Judge]) -> list[list[dict[str, Any]]]:
        """Each model's result at each resolution. Raises `DataError` where no picture can be read.

        A gallery is shown once where its vectors are all of one resolution, otherwise at each one.
        """
        first = next(iter(judges.values()))
        gallery, at = self.known(first), first.gallery_resolution
        galleries = 0 if gallery is None else len(gallery.files) * (len(judges) if at is None else 1)
        self.total = len(judges) * len(self.pictures.files) + galleries
        if gallery is not None and at is not None:
            self._learn(gallery, at, list(judges.values()))
        found = []
        for resolution, judge in judges.items():
            if gallery is not None and at is None:
                self._learn(gallery, resolution, [judge])
            found.append(self._at(resolution, judge))
        return found

    def _learn(self, gallery: PictureSet, resolution: Resolution, judges: Sequence[Judge]) -> None:
        def learn(outputs: Sequence[Outputs], truths: NDArray[Any]) -> None:
            for judge in judges:
                judge.learn(outputs, truths)

        if not self._show(gallery, resolution, learn):
            raise DataError(f"none of the {len(gallery.files)} pictures in {gallery.root} can be read")

    def _at(self, resolution: Resolution, judge: Judge) -> list[dict[str, Any]]:
        skipped: dict[Path, PictureError] = {}
        self.count = self._show(self.pictures, resolution, judge.add, skipped)
        if not self.count:
            raise DataError(f"none of the {len(self.pictures.files)} pictures in {self.pictures.root} can be read")
        self.read.append([index for index, file in enumerate(self.pictures.files) if file not in skipped])
        return judge.results()

    def known(self, judge: Judge) -> PictureSet | None:
        """What `learn` is shown: a gallery, or the pictures themselves at another resolution; None: nothing."""
        return self.pictures if self.gallery is None and judge.gallery_resolution is not None else self.gallery

    def read_files(self) -> list[Path]:
        """The pictures without those that were skipped."""
        return [file for file in self.pictures.files if file not in self.skipped]

    def unread_classes(self) -> list[str]:
        """Names of the classes whose pictures were all skipped."""
        read = {
            index
            for file, index in zip(self.pictures.files, self.pictures.classes, strict=True)
            if file not in self.skipped
        }
        return [self.pictures.name(index) for index in sorted(set(self.pictures.classes) - read)]

    def record(self, judges: Sequence[Judge], results: Sequence[list[dict[str, Any]]]) -> str | None:
        """Writes into each result what each picture contributed; the digest of the pictures, by which other
        evaluations know that they are of the same. None where not all resolutions could be shown the same ones.
        """
        shown = self.pictures.pick(self.read[0])
        if any(each != self.read[0] for each in self.read):
            return None
        try:
            digest, order = picture_order(shown.files, [shown.name(each) for each in shown.classes])
        except OSError:  # gone since it was shown
            return None
        for judge, rows in zip(judges, results, strict=True):
            for row, contributions in zip(rows, judge.contributions(), strict=True):
                row["by_picture"] = PictureRecord.of(digest, contributions[order]).text
        return digest

    def mistakes(
        self, judges: Sequence[tuple[Resolution, Judge]], metrics: Sequence[float], most: int
    ) -> dict[str, Any] | None:
        """At the resolution with the best metric; of equals the smallest."""
        best = max(range(len(judges)), key=lambda index: metrics[index])
        resolution, judge = judges[best]
        answers = judge.answers() if most else None
        if answers is None:
            return None
        shown = self.pictures.pick(self.read[best])
        found = find_mistakes(shown.files, np.array(shown.classes), shown.labels, answers, most)
        return {**resolution.to_fields(), **found}

    def _show(
        self,
        pictures: PictureSet,
        resolution: Resolution,
        take: Callable[..., None],
        skipped: dict[Path, PictureError] | None = None,
    ) -> int:
        begun, count, fill = self.done, 0, self.predictors[0].fill
        skipped = {} if skipped is None else skipped
        for images, classes in decode_batches(
            pictures,
            resolution,
            self.policy,
            BATCH,
            fill=fill,
            strict=self.strict,
            on_skip=skipped.__setitem__,
        ):
            take([each.outputs(self.task.name, images) for each in self.predictors], classes)
            count += len(images)
            self.on_picture(begun + count, self.total)
        self.done = begun + len(pictures.files)
        self.skipped |= skipped
        return count
