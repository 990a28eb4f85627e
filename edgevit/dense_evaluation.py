"""How right a model's or an artefact's masks, boxes or points are at each resolution, alone or against others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.dense_set import DenseSet
from edgevit.dense_pictures import judged_pictures, shown_pictures
from edgevit.errors import ConfigError, DataError, PictureError
from edgevit.picture_record import PictureRecord, picture_order
from edgevit.predictors import Predictor
from edgevit.run_pictures import trained_notes
from edgevit.skipped_pictures import reasons_of
from edgevit.tasks import Task
from edgevit.tasks.pictured import PicturedJudge
from edgevit.tasks.task import Judge, Outputs
from edgevit.truths import TRUTHS, Showing, Shown
from edgevit.worst_pictures import worst_pictures
from edgevit_runtime.resolution import Resolution

__all__ = ["DenseEvaluation", "common_ladder"]

BATCH = 8
"""Pictures decoded and answered together."""


class DenseEvaluation:
    """The models, and how pictures are shown to them. The arguments are those of `evaluation.evaluate`."""

    def __init__(
        self,
        task: type[Task],
        predictors: Sequence[Predictor],
        policy: str,
        strict: bool,
        on_picture: Callable[[int, int], None],
        options: Mapping[str, Any],
    ) -> None:
        self._task, self._predictors, self._options = task, predictors, options
        self._kind = TRUTHS[task.truths]
        self._policy, self._strict, self._on_picture = policy, strict, on_picture
        self._skipped: dict[Path, PictureError] = {}
        self._judges: list[tuple[Judge, list[int]]] = []
        """For each resolution, with the places of the pictures that it was shown."""

    def document(
        self,
        data: Path,
        model: str,
        others: Sequence[str | Path],
        wanted: Sequence[Resolution],
        limit: int | None,
        mistakes: int = 0,
    ) -> dict[str, Any]:
        """The `edgevit.evaluation/1` document. Raises what `evaluation.evaluate` raises."""
        task = self._task
        ladder = common_ladder(self._predictors, task.name, wanted)
        labels = self._labels()
        pictures = self._pictures(data, labels)
        if limit is not None and limit < len(pictures.files):
            pictures = pictures.pick(np.linspace(0, len(pictures.files) - 1, limit).round().astype(int).tolist())
        total = len(ladder) * len(pictures.files)
        for number, resolution in enumerate(ladder):
            self._judges.append(self._at(resolution, pictures, number * len(pictures.files), total))
        results = [judge.results() for judge, _ in self._judges]
        digest = self._recorded(results, pictures)
        by_model = [
            [{**resolution.to_fields(), **each[number]} for resolution, each in zip(ladder, results, strict=True)]
            for number in range(len(self._predictors))
        ]
        best = max(range(len(ladder)), key=lambda index: results[index][0][task.metric])  # of equals the smallest
        shown_best, _ = self._judges[best]
        described, reasons = [each.described() for each in self._predictors], reasons_of(self._skipped)
        document = {
            "schema": "edgevit.evaluation/1",
            "task": task.name,
            "model": model,
            **described[0],
            "data": str(data),
            "judged_on": str(pictures.root),
            "assumed": [
                *pictures.assumed,
                *(f"{pictures.root}: {each}" for each in pictures.problems),
                *trained_notes([each.path for each in self._predictors], pictures.files),
            ],
            "left_out": dict(pictures.left_out),
            self._kind.named: list(labels),
            **({"classes": len(labels)} if self._kind.named == "labels" else {}),
            "images": len(self._judges[-1][1]),
            "skipped": len(self._skipped),
            "skipped_files": list(reasons),
            "skipped_reasons": reasons,
            "unread_classes": [],
            "resize": self._policy,
            **shown_best.settings,
            **({"pictures_sha256": digest} if digest else {}),
            **{name: {**ladder[best].to_fields(), **each} for name, each in shown_best.curves().items()},
            "results": by_model[0],
        }
        beside = [
            {"model": str(each), **about, "results": row}
            for each, about, row in zip(others, described[1:], by_model[1:], strict=True)
        ]
        if beside:
            document["against"] = beside[0]
        if beside[1:]:
            document["also_against"] = beside[1:]
        if mistakes:
            document["mistakes"] = self._mistakes(pictures, ladder[best], *self._judges[best], mistakes)
        return document

    def _pictures(self, data: Path, labels: tuple[str, ...]) -> DenseSet:
        first = self._predictors[0]
        ignored = next((each.ignored for each in self._predictors if each.ignored is not None), None)
        known = {"margin": first.margin, "ignored_in_training": ignored}
        return judged_pictures(self._task, data, labels, str(first.path), {**self._options, **known})

    def _mistakes(
        self, pictures: DenseSet, resolution: Resolution, judge: Judge, read: Sequence[int], most: int
    ) -> dict[str, Any]:
        """read: the places of the pictures that `judge` was shown. Raises `ConfigError` for a task without drawings."""
        if not isinstance(judge, PicturedJudge):
            raise ConfigError(f"--mistakes draws what is found; {self._task.name} has no drawings yet")

        def answered(place: int) -> tuple[list[Any], list[list[Outputs]]]:
            ((_, shown),) = self._shown(pictures.pick([read[place]]), resolution)
            if shown is None:  # gone since it was judged
                raise self._skipped[pictures.files[read[place]]]
            found: list[list[Outputs]] = []
            for each in self._predictors[:2]:
                outputs = [each.outputs(self._task.name, image[None]) for image, _ in shown]
                found.append([{name: values[0] for name, values in one.items()} for one in outputs])
            return [truth for _, truth in shown], found

        files, heading = [pictures.files[index] for index in read], self._task.figures[0].heading
        found = worst_pictures(judge, heading, self._labels(), files, answered, most)
        return {**resolution.to_fields(), **found}

    def _labels(self) -> tuple[str, ...]:
        """What all models call what they find. Raises `ConfigError` where they are not the same."""
        first, name = self._predictors[0], self._task.name
        labels = first.dense_labels.get(name, ())
        for each in self._predictors[1:]:
            if each.dense_labels.get(name, ()) != labels:
                of = "classes" if self._kind.named == "labels" else "names"
                raise ConfigError(
                    f"{first.path} and {each.path} have {self._task.truths} of other {of}, or in another order"
                )
            if self._kind.named == "points" and each.margin != first.margin:
                raise ConfigError(f"{first.path} and {each.path} look at crops with other margins around their boxes")
        return labels

    def _at(self, resolution: Resolution, pictures: DenseSet, begun: int, total: int) -> tuple[Judge, list[int]]:
        """What the models say at a resolution, and which pictures could be read."""
        judge = self._task.judge(len(self._predictors), {**self._options, self._kind.named: self._labels()})
        read: list[int] = []
        batch: list[Shown] = []

        def judged() -> None:
            images = np.stack([image for image, _ in batch])
            outputs = [each.outputs(self._task.name, images) for each in self._predictors]
            judge.add(outputs, [truth for _, truth in batch])
            batch.clear()

        for index, shown in self._shown(pictures, resolution):
            if shown is not None:
                read.append(index)
                batch += shown
            if len(batch) >= BATCH:
                judged()
            self._on_picture(begun + index + 1, total)
        if batch:
            judged()
        if not read:
            raise DataError(f"none of the {len(pictures.files)} pictures in {pictures.root} can be read")
        return judge, read

    def _shown(self, pictures: DenseSet, resolution: Resolution) -> Iterator[tuple[int, list[Shown] | None]]:
        first = self._predictors[0]
        showing = Showing(resolution, self._policy, first.fill, first.margin)
        return shown_pictures(self._task, pictures, showing, self._unread)

    def _unread(self, file: Path, error: PictureError) -> None:
        if self._strict:
            raise error
        self._skipped[file] = error

    def _recorded(self, results: Sequence[list[dict[str, Any]]], pictures: DenseSet) -> str | None:
        """Writes what each picture contributed into the results; the digest of the pictures."""
        found = [judge.contributions() for judge, _ in self._judges]
        shown = [file for file in pictures.files if file not in self._skipped]
        if any(len(each) != len(shown) for of_models in found for each in of_models):
            return None
        digest, order = picture_order(shown, ["" for _ in shown])
        for rows, of_models in zip(results, found, strict=True):
            for row, contributions in zip(rows, of_models, strict=True):
                row["by_picture"] = PictureRecord.of(digest, contributions[order]).text
        return digest


def common_ladder(predictors: Sequence[Predictor], task: str, wanted: Sequence[Resolution]) -> tuple[Resolution, ...]:
    """The resolutions that were asked for, or those that all models have. Raises `ConfigError`, `ResolutionError`."""
    if wanted:
        ladder = tuple(wanted)
    else:
        # A .keras model takes any resolution, so an artefact's ladder decides where there is one.
        ladders = [set(each.resolutions) for each in predictors if each.is_artefact]
        common = set.intersection(*ladders) if ladders else set(predictors[0].resolutions)
        if not ladders and not common:
            raise ConfigError(f"{predictors[0].path} takes pictures of any size: name some, --resolutions 128,224")
        if not common:
            named = " and ".join(str(each.path) for each in predictors)
            raise ConfigError(f"{named} have no resolution in common")
        ladder = tuple(sorted(common))
    for resolution in ladder:
        for predictor in predictors:
            predictor.check(task, resolution)
    return ladder
