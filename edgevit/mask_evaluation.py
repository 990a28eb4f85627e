"""How right a model's or an artefact's masks are at each resolution, alone or against others on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.masks import MaskSet, read_masks
from edgevit.errors import ConfigError, DataError, PictureError
from edgevit.picture_record import PictureRecord, picture_order
from edgevit.predictors import Predictor
from edgevit.skipped_pictures import reasons_of
from edgevit.tasks import Segment
from edgevit.tasks.segment import MaskTruth, SegmentJudge
from edgevit.tasks.task import Outputs
from edgevit.worst_pictures import worst_pictures
from edgevit_runtime.preprocess.fitting import fit, fitting_of
from edgevit_runtime.preprocess.pictures import loaded
from edgevit_runtime.resolution import Resolution

__all__ = ["Masks", "common_ladder"]

BATCH = 8
"""Pictures decoded and answered together."""

Shown = tuple[NDArray[np.uint8], MaskTruth]


class Masks:
    """The models, and how pictures with masks are shown to them. The arguments are those of `evaluation.evaluate`."""

    def __init__(
        self, predictors: Sequence[Predictor], policy: str, strict: bool, on_picture: Callable[[int, int], None]
    ) -> None:
        self._predictors, self._policy, self._strict, self._on_picture = predictors, policy, strict, on_picture
        self._skipped: dict[Path, PictureError] = {}
        self._judges: list[tuple[SegmentJudge, list[int]]] = []
        """For each resolution, with the places of the pictures that it was shown."""

    def document(
        self,
        data: Path,
        model: str,
        others: Sequence[str | Path],
        wanted: Sequence[Resolution],
        limit: int | None,
        ignored: int | str | None,
        mistakes: int = 0,
    ) -> dict[str, Any]:
        """The `edgevit.evaluation/1` document. Raises what `evaluation.evaluate` raises."""
        first = self._predictors[0]
        labels = first.mask_labels
        for each in self._predictors[1:]:
            if each.mask_labels != labels:
                raise ConfigError(f"{first.path} and {each.path} have masks of other classes, or in another order")
        ladder = common_ladder(self._predictors, "segment", wanted)
        pictures = read_masks(data, labels, ignored=ignored, who=str(first.path))
        if limit is not None and limit < len(pictures.files):
            pictures = pictures.pick(np.linspace(0, len(pictures.files) - 1, limit).round().astype(int).tolist())
        total = len(ladder) * len(pictures.files)
        results, count = [], 0
        for number, resolution in enumerate(ladder):
            rows, read = self._at(resolution, pictures, number * len(pictures.files), total)
            results.append(rows)
            count = len(read)
        digest = self._recorded(results, pictures)
        by_model = [
            [{**resolution.to_fields(), **each[number]} for resolution, each in zip(ladder, results, strict=True)]
            for number in range(len(self._predictors))
        ]
        described, reasons = [each.described() for each in self._predictors], reasons_of(self._skipped)
        document = {
            "schema": "edgevit.evaluation/1",
            "task": Segment.name,
            "model": model,
            **described[0],
            "data": str(data),
            "judged_on": str(pictures.root),
            "assumed": list(pictures.assumed),
            "left_out": dict(pictures.left_out),
            "labels": list(labels),
            "classes": len(labels),
            "images": count,
            "skipped": len(self._skipped),
            "skipped_files": list(reasons),
            "skipped_reasons": reasons,
            "unread_classes": [],
            "resize": self._policy,
            **({"pictures_sha256": digest} if digest else {}),
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
            document["mistakes"] = self._mistakes(pictures, ladder, [rows[0]["miou"] for rows in results], mistakes)
        return document

    def _mistakes(
        self, pictures: MaskSet, ladder: Sequence[Resolution], metrics: Sequence[float], most: int
    ) -> dict[str, Any]:
        """At the resolution with the best metric; of equals the smallest."""
        best = max(range(len(ladder)), key=lambda place: metrics[place])
        judge, read = self._judges[best]

        def answered(place: int) -> tuple[MaskTruth, list[Outputs]]:
            ((_, shown),) = self._shown(pictures.pick([read[place]]), ladder[best])
            if shown is None:  # gone since it was judged
                raise self._skipped[pictures.files[read[place]]]
            image, truth = shown
            found = [each.outputs(Segment.name, image[None]) for each in self._predictors[:2]]
            return truth, [{name: output[0] for name, output in each.items()} for each in found]

        files = [pictures.files[index] for index in read]
        heading, labels = Segment.figures[0].heading, self._predictors[0].mask_labels
        return {**ladder[best].to_fields(), **worst_pictures(judge, heading, labels, files, answered, most)}

    def _at(
        self, resolution: Resolution, pictures: MaskSet, begun: int, total: int
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Each model's result at a resolution, with what each picture contributed; and which could be read."""
        judge = Segment.judge(len(self._predictors), {})
        read: list[int] = []
        batch: list[Shown] = []

        def judged() -> None:
            images = np.stack([image for image, _ in batch])
            outputs = [each.outputs(Segment.name, images) for each in self._predictors]
            judge.add(outputs, [truth for _, truth in batch])
            batch.clear()

        for index, shown in self._shown(pictures, resolution):
            if shown is not None:
                read.append(index)
                batch.append(shown)
            if len(batch) == BATCH:
                judged()
            self._on_picture(begun + index + 1, total)
        if batch:
            judged()
        if not read:
            raise DataError(f"none of the {len(pictures.files)} pictures in {pictures.root} can be read")
        self._judges.append((judge, read))
        rows = judge.results()
        for row, contributions in zip(rows, judge.contributions(), strict=True):
            row["_contributions"] = contributions
        return rows, read

    def _shown(self, pictures: MaskSet, resolution: Resolution) -> Iterator[tuple[int, Shown | None]]:
        """Each picture as the models see it, with its mask; None for one that cannot be read."""
        fill = self._predictors[0].fill
        for index, file in enumerate(pictures.files):
            try:
                with loaded(file) as pixels:
                    height, width = pixels.shape[:2]
                    image = fit(pixels, resolution, self._policy, fill)
                    fitting = fitting_of((width, height), resolution, self._policy)
                yield index, (image, MaskTruth(pictures.mask(index), fitting))
            except PictureError as error:
                if self._strict:
                    raise
                self._skipped[file] = error
                yield index, None

    def _recorded(self, results: Sequence[list[dict[str, Any]]], pictures: MaskSet) -> str | None:
        """Writes what each picture contributed into the results; the digest of the pictures."""
        found = [row.pop("_contributions") for rows in results for row in rows]
        shown = [file for file in pictures.files if file not in self._skipped]
        if any(len(each) != len(shown) for each in found):
            return None
        digest, order = picture_order(shown, ["" for _ in shown])
        for row, contributions in zip((row for rows in results for row in rows), found, strict=True):
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
