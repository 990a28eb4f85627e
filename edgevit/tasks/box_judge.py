"""How boxes are judged: by COCO's average precision (AP), in the pictures' own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.box_accuracy import BoxMatches, FoundBoxesOf, match_boxes, overlaps
from edgevit.errors import ConfigError
from edgevit.statistics import lost
from edgevit.tasks.pictured import Drawing
from edgevit.tasks.task import Outputs
from edgevit_runtime.preprocess.fitting import Fitting
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.tasks.box_decoding import StrideGrid, decode_boxes, grids_of
from edgevit_runtime.tasks.findings import Box
from edgevit_runtime.tasks.overlay import draw_boxes

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["LEAST_SCORE", "MOST_OVERLAP", "BoxJudge", "BoxTruth", "found_boxes"]

LEAST_SCORE, MOST_OVERLAP, MOST_BOXES = 0.01, 0.6, 300
"""AP looks at boxes that nobody would be shown, too: at what precision costs when more are to be found."""
SHOWN_SCORE, SAME_OVERLAP = 0.4, 0.5
"""A box that people are shown (`edgevit.tasks.detect.LEAST_SCORE`), and two of one thing."""


@dataclass(frozen=True)
class BoxTruth:
    """What a picture shows, in its own pixels, and how it was fitted.

    boxes: [n, 4], xmin, ymin, xmax, ymax. classes: int [n]. crowd: bool [n], what counts neither found nor missed.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]
    crowd: NDArray[np.bool_]
    fitting: Fitting


class BoxJudge:
    """AP and its like; and how many of the boxes that people are shown another model shows, too.

    `agreement`: of the first model's boxes with a score of `SHOWN_SCORE` or more, the share for which the other has
    one as sure, of the same class, with an intersection over union of `SAME_OVERLAP` or more; each for one only.
    None where neither shows any.
    """

    gallery: None = None
    gallery_resolution: None = None

    def __init__(self, models: int, most_overlap: float = MOST_OVERLAP) -> None:
        if not 0.0 <= most_overlap <= 1.0:
            raise ConfigError(f"most_overlap is a share from 0 to 1, not {most_overlap}")
        self._most_overlap = most_overlap
        self._truths: list[BoxTruth] = []
        self._found: list[list[FoundBoxesOf]] = [[] for _ in range(models)]
        self._classes = 0
        self._matches: list[BoxMatches] = []
        self._contributions: list[NDArray[np.float64]] = []

    @classmethod
    def of(cls, models: int, options: Mapping[str, Any]) -> BoxJudge:
        """options: `most_overlap`. Raises `ConfigError`."""
        given = options.get("most_overlap")
        return cls(models, MOST_OVERLAP if given is None else float(given))

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"least_score": LEAST_SCORE, "most_overlap": self._most_overlap}

    def learn(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """There is nothing to learn: the head knows the classes."""

    def add(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """truths: a `BoxTruth` for each picture."""
        self._matches, self._contributions = [], []
        for place, truth in enumerate(truths):
            self._truths.append(truth)
            for found, each in zip(self._found, outputs, strict=True):
                logits = each["cell_logits"][place]
                self._classes = logits.shape[-1]
                found.append(found_boxes(each["log_distances"][place], logits, truth.fitting, self._most_overlap))

    def by_class(self) -> list[dict[str, Any]]:
        """Empty: `results` has the classes' own figures."""
        return []

    def curves(self) -> dict[str, dict[str, Any]]:
        """`precision_recall`: for each class the precision at recalls of 0, 0.01, ... 1 (overlap 0.5)."""
        return {"precision_recall": {"overlap": 0.5, "precision_by_class": self._matched()[0].precision_at_half()}}

    def results(self) -> list[dict[str, Any]]:
        found = [matches.figures() for matches in self._matched()]
        for number, figures in enumerate(found[1:], 1):
            contributions = self.contributions()
            difference = contributions[0] - contributions[number]
            figures |= {"agreement": self._agreement(number), **lost(found[0]["ap"], figures["ap"], difference)}
        return found

    def contributions(self) -> list[NDArray[np.float64]]:
        """Jackknife pseudo-values: AP is no mean over pictures, and this is what each adds to it (Efron 1982)."""
        if not self._contributions:
            for matches in self._matched():
                whole, count = float(matches.figures()["ap"]), matches.pictures
                without = matches.without_each() if count > 1 else np.array([whole])
                values = count * whole - (count - 1) * without
                self._contributions.append(values + (whole - values.mean()))
        return self._contributions

    def answers(self) -> list[Answers] | None:
        return None

    def picture_figures(self) -> list[NDArray[np.float64]]:
        """AP over the classes that a picture has; NaN where there is nothing to find."""
        return [matches.of_each() for matches in self._matched()]

    def draw_truth(self, picture: Image, truths: Sequence[BoxTruth], labels: Sequence[str]) -> Drawing:
        true = truths[0]
        return _drawn(picture, (true.boxes[~true.crowd], np.ones(int((~true.crowd).sum())), true.classes[~true.crowd]))

    def draw_found(
        self, picture: Image, outputs: Sequence[Outputs], truths: Sequence[BoxTruth], labels: Sequence[str]
    ) -> Drawing:
        """Those that people are shown."""
        distances, logits = outputs[0]["log_distances"], outputs[0]["cell_logits"]
        return _drawn(picture, _shown(found_boxes(distances, logits, truths[0].fitting, self._most_overlap)))

    def _matched(self) -> list[BoxMatches]:
        """Of each model, all pictures."""
        if not self._matches:
            truths = [(each.boxes, each.classes, each.crowd) for each in self._truths]
            self._matches = [match_boxes(truths, found, self._classes) for found in self._found]
        return self._matches

    def _agreement(self, number: int) -> float | None:
        """None where neither shows a box: there is nothing to agree on."""
        same = shown = theirs = 0
        for first, other in zip(self._found[0], self._found[number], strict=True):
            one, another = _shown(first), _shown(other)
            same += _matched_pairs(one, another)
            shown, theirs = shown + len(one[0]), theirs + len(another[0])
        return same / shown if shown else 0.0 if theirs else None


def found_boxes(
    log_distances: NDArray[Any], logits: NDArray[Any], fitting: Fitting, most_overlap: float = MOST_OVERLAP
) -> FoundBoxesOf:
    """What a head put out for one picture, [cells, 4] and [cells, classes] -> boxes in its own pixels, best first."""
    resolution = fitting.resolution
    found = decode_boxes(
        log_distances,
        logits,
        resolution,
        grids=_grids(resolution, len(logits)),
        least_score=LEAST_SCORE,
        most_overlap=most_overlap,
        most=MOST_BOXES,
    )
    boxes = fitting.boxes_to_picture(found.boxes)
    inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # not what was seen in a letterbox's borders
    return boxes[inside], found.scores[inside], found.classes[inside]


def _drawn(picture: Image, found: FoundBoxesOf) -> Drawing:
    """Without words: a small copy has no room for those."""
    boxes = [
        Box("", int(index), float(score), *map(float, corners)) for corners, score, index in zip(*found, strict=True)
    ]
    return Drawing(draw_boxes(picture, boxes, names=False), frozenset(each.index for each in boxes))


def _grids(resolution: Resolution, cells: int) -> tuple[StrideGrid, ...]:
    """Cells have half a patch's side, a patch's and two patches'; of which patch, their number says.

    (Only patches that divide the resolution, as a model's must: so there is but one.)
    """
    common = gcd(resolution.width, resolution.height)
    for patch in range(2, common + 1, 2):
        grids = grids_of(resolution, (patch // 2, patch, 2 * patch))
        if common % patch == 0 and sum(grid.columns * grid.rows for grid in grids) == cells:
            return grids
    return grids_of(resolution)  # what does not fit is refused, with its shape, by who decodes it


def _shown(found: FoundBoxesOf) -> FoundBoxesOf:
    """Those that people are shown."""
    boxes, scores, classes = found
    sure = scores >= SHOWN_SCORE
    return boxes[sure], scores[sure], classes[sure]


def _matched_pairs(first: FoundBoxesOf, other: FoundBoxesOf) -> int:
    """For how many of the first's boxes, the best first, there is one of the other's, each taken once."""
    shares = overlaps(first[0], other[0])
    shares[first[2][:, None] != other[2][None]] = 0.0
    pairs = 0
    for row in shares:
        if row.size and row.max() >= SAME_OVERLAP:
            shares[:, row.argmax()] = 0.0
            pairs += 1
    return pairs
