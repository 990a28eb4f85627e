"""How right boxes are, by COCO's own tool (pycocotools): average precision (AP) as the COCO challenge counts it.

What the tool matches in each picture is kept, so that what one picture adds to AP needs no second matching.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZES", "BoxMatches", "FoundBoxesOf", "TrueBoxesOf", "average_precision", "match_boxes", "overlaps"]

TrueBoxesOf = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Of a picture: boxes [n, 4] (xmin, ymin, xmax, ymax), classes [n], and which are crowds: bool [n]."""
FoundBoxesOf = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Of a picture: boxes [n, 4], scores [n], classes [n]."""

MOST_BOXES = 100
"""So many boxes of each class count in a picture, the best of them."""
SIZES: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""The areas of boxes, in square pixels of the picture: COCO's, https://cocodataset.org/#detection-eval."""
_ROOM = float(np.spacing(1))
"""COCO's tool adds it to what it divides by."""


def average_precision(
    truths: Sequence[TrueBoxesOf], found: Sequence[FoundBoxesOf], classes: int, *, sizes: bool = True
) -> dict[str, Any]:
    """The figures of `BoxMatches.figures`, of pictures in one order. sizes: False is faster, without those by size."""
    return match_boxes(truths, found, classes, sizes=sizes).figures()


def match_boxes(
    truths: Sequence[TrueBoxesOf], found: Sequence[FoundBoxesOf], classes: int, *, sizes: bool = True
) -> BoxMatches:
    """What was found beside what is true, picture by picture."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(StringIO()):  # it says what it does at each step
        known, answers = COCO(), COCO()
        known.dataset = _dataset(len(truths), classes, _true_rows(truths))
        answers.dataset = _dataset(len(truths), classes, _found_rows(found))
        known.createIndex()
        answers.createIndex()
        tool = COCOeval(known, answers, "bbox")
        tool.params.maxDets = [MOST_BOXES]
        tool.params.areaRngLbl = list(SIZES) if sizes else ["all"]
        tool.params.areaRng = [list(SIZES[each]) for each in tool.params.areaRngLbl]
        tool.evaluate()
        tool.accumulate()
    pictures = len(truths)
    by_class = [tool.evalImgs[first : first + pictures] for first in _firsts(tool, pictures)]
    return BoxMatches(
        pictures=pictures,
        overlap_shares=np.asarray(tool.params.iouThrs),
        recalls=np.asarray(tool.params.recThrs),
        precision=tool.eval["precision"][..., 0],
        recall=tool.eval["recall"][..., 0],
        of_classes=tuple(_ClassMatches.of(each) for each in by_class),
    )


@dataclass(frozen=True)
class BoxMatches:
    """What COCO's tool makes of the pictures; -1 stands where there is nothing to find."""

    pictures: int
    overlap_shares: NDArray[np.float64]
    """[shares]: a box is found from such a share of intersection over union on: 0.5 to 0.95."""
    recalls: NDArray[np.float64]
    """[recalls]: 0 to 1."""
    precision: NDArray[np.float64]
    """[shares, recalls, classes, sizes]: the best precision at that recall or a higher one."""
    recall: NDArray[np.float64]
    """[shares, classes, sizes]"""
    of_classes: tuple[_ClassMatches, ...]

    def figures(self) -> dict[str, Any]:
        """`ap` (mean over overlaps of 0.5 to 0.95, and over classes), `ap50`, `ap75`, `ar100`, and `ap_by_class`; where
        sizes were asked for `ap_small`, `ap_medium`, `ap_large`.

        Fractions. A class or a size of which there is nothing to find has None, and is no part of any mean; `ap` and
        its like are 0 where there is nothing at all.
        """
        found: dict[str, Any] = {
            "ap": _mean(self.precision[..., 0]) or 0.0,
            "ap50": _mean(self.precision[self._at(0.5), :, :, 0]) or 0.0,
            "ap75": _mean(self.precision[self._at(0.75), :, :, 0]) or 0.0,
            "ar100": _mean(self.recall[..., 0]) or 0.0,
        }
        if self.precision.shape[-1] == len(SIZES):
            for number, size in enumerate(SIZES):
                if number:
                    found[f"ap_{size}"] = _mean(self.precision[..., number])
        found["ap_by_class"] = [_mean(self.precision[:, :, each, 0]) for each in range(len(self.of_classes))]
        return found

    def precision_at_half(self) -> list[list[float] | None]:
        """For each class the precision at recalls of 0, 0.01, ... 1, a box found from an overlap of 0.5 on; None for
        a class of which there is nothing to find."""
        curves = self.precision[self._at(0.5), :, :, 0].T
        return [[round(float(each), 4) for each in curve] if curve[0] >= 0.0 else None for curve in curves]

    def without_each(self) -> NDArray[np.float64]:
        """AP without the first picture, without the second, and so on: [pictures]."""
        whole = [_mean(self.precision[:, :, each, 0]) for each in range(len(self.of_classes))]
        by_class = np.full((len(whole), self.pictures), np.nan)
        for number, (matches, value) in enumerate(zip(self.of_classes, whole, strict=True)):
            if value is not None:
                by_class[number] = value
                for picture in matches.shown_in:
                    by_class[number, picture] = matches.ap_of(np.arange(self.pictures) != picture, self.recalls)
        return np.nan_to_num(_mean_of_classes(by_class))

    def of_each(self) -> NDArray[np.float64]:
        """AP of each picture alone: [pictures]; NaN where there is nothing to find."""
        by_class = np.full((len(self.of_classes), self.pictures), np.nan)
        for number, matches in enumerate(self.of_classes):
            for picture in np.flatnonzero(matches.to_find):
                by_class[number, picture] = matches.ap_of(np.arange(self.pictures) == picture, self.recalls)
        return _mean_of_classes(by_class)

    def _at(self, share: float) -> int:
        return int(np.abs(self.overlap_shares - share).argmin())


@dataclass(frozen=True)
class _ClassMatches:
    """The boxes of one class that were found in any picture and count, the surest first."""

    pictures: NDArray[np.int64]
    """[found]: in which picture."""
    right: NDArray[np.bool_]
    """[shares, found]"""
    wrong: NDArray[np.bool_]
    """[shares, found]; neither where it does not count, as on a crowd."""
    to_find: NDArray[np.int64]
    """[pictures]: how many there are."""

    @classmethod
    def of(cls, by_picture: Sequence[dict[str, Any] | None]) -> _ClassMatches:
        """by_picture: the tool's own records; None for a picture with nothing true and nothing found."""
        to_find = np.array([0 if each is None else int(np.sum(each["gtIgnore"] == 0)) for each in by_picture], np.int64)
        shown = [(number, each) for number, each in enumerate(by_picture) if each is not None]
        if not shown:
            nothing = np.zeros((1, 0), np.bool_)
            return cls(np.zeros(0, np.int64), nothing, nothing, to_find)
        pictures = np.concatenate([np.full(len(each["dtScores"]), number, np.int64) for number, each in shown])
        order = np.argsort(-np.concatenate([each["dtScores"] for _, each in shown]), kind="stable")  # as the tool sorts
        matched = np.concatenate([each["dtMatches"] for _, each in shown], axis=1)[:, order] > 0
        counts = np.concatenate([each["dtIgnore"] for _, each in shown], axis=1)[:, order] == 0
        return cls(pictures[order], matched & counts, ~matched & counts, to_find)

    @property
    def shown_in(self) -> NDArray[np.int64]:
        """The pictures that can change its AP."""
        return np.union1d(self.pictures, np.flatnonzero(self.to_find))

    def ap_of(self, chosen: NDArray[np.bool_], recalls: NDArray[np.float64]) -> float:
        """As the tool counts it (COCOeval.accumulate), of some pictures; NaN where there is nothing to find in them.

        chosen: bool [pictures].
        """
        to_find = int(self.to_find[chosen].sum())
        if not to_find:
            return np.nan
        there = chosen[self.pictures]
        # Precision is highest at right boxes, so a recall's best one is that of the n-th right box or a later one.
        nth = np.maximum(1, np.searchsorted(np.arange(to_find + 1) / to_find, recalls, side="left"))
        total = 0.0
        for right, wrong in zip(self.right[:, there], self.wrong[:, there], strict=True):
            numbers = np.arange(1, int(right.sum()) + 1)
            precision = numbers / (numbers + np.cumsum(wrong)[right] + _ROOM)
            best = np.maximum.accumulate(precision[::-1])[::-1]
            total += float(best[nth[nth <= len(best)] - 1].sum())
        return total / (len(recalls) * len(self.right))


def overlaps(boxes: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union of each box [n, 4] with each other one [m, 4]: [n, m]."""
    one, other = np.asarray(boxes, np.float64)[:, None], np.asarray(others, np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    common = np.prod(np.maximum(sides, 0.0), axis=-1)
    union = np.prod(one[..., 2:] - one[..., :2], axis=-1) + np.prod(other[..., 2:] - other[..., :2], axis=-1) - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def _mean(values: NDArray[np.float64]) -> float | None:
    """Of those that are not -1; None where there are none."""
    known = values[values > -1]
    return float(known.mean()) if known.size else None


def _mean_of_classes(by_class: NDArray[np.float64]) -> NDArray[np.float64]:
    """[classes, pictures] -> [pictures], of those that are numbers; NaN where none is."""
    judged = ~np.isnan(by_class)
    sums, counts = np.where(judged, by_class, 0.0).sum(axis=0), judged.sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.full(by_class.shape[1], np.nan), where=counts > 0))


def _firsts(tool: Any, pictures: int) -> range:
    """Where the records of each class for boxes of all sizes begin: they lie by class, size and picture."""
    step = len(tool.params.areaRng) * pictures
    return range(0, len(tool.params.catIds) * step, step or 1)


def _dataset(pictures: int, classes: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """As COCO's files have it. Boxes count from 1: the tool takes 0 for no match."""
    return {
        "images": [{"id": number} for number in range(pictures)],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": [{"id": number, **row} for number, row in enumerate(rows, 1)],
    }


def _true_rows(truths: Sequence[TrueBoxesOf]) -> list[dict[str, Any]]:
    return [
        {**_row(picture, box, int(index)), "iscrowd": int(crowd)}
        for picture, (boxes, classes, crowds) in enumerate(truths)
        for box, index, crowd in zip(np.asarray(boxes, np.float64), classes, crowds, strict=True)
    ]


def _found_rows(found: Sequence[FoundBoxesOf]) -> list[dict[str, Any]]:
    return [
        {**_row(picture, box, int(index)), "score": float(score)}
        for picture, (boxes, scores, classes) in enumerate(found)
        for box, score, index in zip(np.asarray(boxes, np.float64), scores, classes, strict=True)
    ]


def _row(picture: int, box: NDArray[np.float64], index: int) -> dict[str, Any]:
    left, top, right, bottom = box.tolist()
    wide, high = right - left, bottom - top
    return {"image_id": picture, "category_id": index, "bbox": [left, top, wide, high], "area": wide * high}
