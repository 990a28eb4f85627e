"""How keypoints are judged: by the share that is near enough (PCK), in the pictures' own pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgevit.accuracy import Answers
from edgevit.point_accuracy import NEAR_SHARE, FoundPointsOf, SubjectTruth, point_accuracy, point_errors, sigmas_of
from edgevit.statistics import lost
from edgevit.tasks.pictured import Drawing
from edgevit.tasks.task import Outputs
from edgevit_runtime.preprocess.fitting import Fitting
from edgevit_runtime.tasks.findings import Keypoint
from edgevit_runtime.tasks.heatmap_peaks import find_peaks
from edgevit_runtime.tasks.overlay import draw_points

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PointJudge", "PointTruth", "found_points"]


@dataclass(frozen=True)
class PointTruth(SubjectTruth):
    """And how the subject was shown: whole pictures were fitted, or crops of them.

    fitting: of what was shown. corner: where its upper left corner lies in the picture, x and y. picture: which one it
    is: several subjects may be of one.
    """

    fitting: Fitting
    corner: tuple[int, int] = (0, 0)
    picture: int = 0


class PointJudge:
    """PCK and its like; and on how many points another model agrees with the first.

    `agreement`: the share of the labelled points that the two place within `NEAR_SHARE` of their subject's longer side
    of each other.
    """

    gallery: None = None
    gallery_resolution: None = None

    def __init__(self, models: int, names: Sequence[str] = ()) -> None:
        self._names = tuple(names)
        self._truths: list[PointTruth] = []
        self._found: list[list[FoundPointsOf]] = [[] for _ in range(models)]

    @classmethod
    def of(cls, models: int, options: Mapping[str, Any]) -> PointJudge:
        """options: `points`, what they are called."""
        return cls(models, options.get("points") or ())

    @property
    def settings(self) -> Mapping[str, Any]:
        points = len(self._truths[0].points) if self._truths else 0
        return {"near_share": NEAR_SHARE, "oks_sigmas": list(sigmas_of(self._names, points))}

    def learn(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """There is nothing to learn: the head knows the points."""

    def add(self, outputs: Sequence[Outputs], truths: Any) -> None:
        """truths: a `PointTruth` for each of what was shown."""
        for place, truth in enumerate(truths):
            self._truths.append(truth)
            for found, each in zip(self._found, outputs, strict=True):
                found.append(found_points(each["heatmaps"][place], truth.fitting, truth.corner))

    def by_class(self) -> list[dict[str, Any]]:
        """Empty: `results` has the points' own figures."""
        return []

    def curves(self) -> dict[str, dict[str, Any]]:
        """There are none."""
        return {}

    def results(self) -> list[dict[str, Any]]:
        figures = [point_accuracy(self._truths, found, self._names) for found in self._found]
        contributions = self.contributions()
        for number, each in enumerate(figures[1:], 1):
            difference = contributions[0] - contributions[number]
            each |= {"agreement": self._agreement(number), **lost(figures[0]["pck"], each["pck"], difference)}
        return figures

    def contributions(self) -> list[NDArray[np.float64]]:
        """PCK is a ratio of two sums over pictures, and this is what each picture moves it by, about PCK itself: the
        linearisation of Efron 1982 (the infinitesimal jackknife). Of pictures with as many labelled points each it is
        the share of a picture's own points that are right."""
        found = []
        for right, judged in self._right_and_judged():
            total = max(1.0, judged.sum())
            share = right.sum() / total
            found.append(np.asarray(share + len(right) * (right - share * judged) / total))
        return found

    def _right_and_judged(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """For each model how many points of each picture are near enough, and how many are labelled."""
        _, places = np.unique([each.picture for each in self._truths], return_inverse=True)
        sides = np.array([[each.side] for each in self._truths])
        for answered in self._found:
            errors = point_errors(self._truths, answered)
            right = np.bincount(places, (errors <= NEAR_SHARE * sides).sum(axis=1))
            yield right, np.bincount(places, (~np.isnan(errors)).sum(axis=1))

    def answers(self) -> list[Answers] | None:
        return None

    def picture_figures(self) -> list[NDArray[np.float64]]:
        """PCK of each picture's own points; NaN where none is labelled."""
        found = []
        for right, judged in self._right_and_judged():
            found.append(np.divide(right, judged, out=np.full(len(judged), np.nan), where=judged > 0))
        return found

    def draw_truth(self, picture: Image, truths: Sequence[PointTruth], labels: Sequence[str]) -> Drawing:
        return _drawn(picture, truths, [each.points[:, :2] for each in truths])

    def draw_found(
        self, picture: Image, outputs: Sequence[Outputs], truths: Sequence[PointTruth], labels: Sequence[str]
    ) -> Drawing:
        """Those that are judged: of one that is not labelled nobody knows where it is."""
        pairs = zip(outputs, truths, strict=True)
        return _drawn(
            picture, truths, [found_points(each["heatmaps"], truth.fitting, truth.corner)[0] for each, truth in pairs]
        )

    def _agreement(self, number: int) -> float:
        near = judged = 0
        for truth, (first, _), (other, _) in zip(self._truths, self._found[0], self._found[number], strict=True):
            apart = np.linalg.norm(first - other, axis=-1)[truth.labelled]
            near, judged = near + int((apart <= NEAR_SHARE * truth.side).sum()), judged + len(apart)
        return near / max(1, judged)


def _drawn(picture: Image, truths: Sequence[PointTruth], points: Sequence[NDArray[Any]]) -> Drawing:
    """The labelled points of each subject, [points, 2], without words: a small copy has no room for those."""
    seen: set[int] = set()
    for truth, places in zip(truths, points, strict=True):
        shown = np.where(truth.labelled[:, None], places, np.nan)  # what is nowhere is not drawn
        picture = draw_points(picture, [Keypoint("", float(x), float(y), 1.0) for x, y in shown], names=False)
        seen |= set(np.flatnonzero(truth.labelled).tolist())
    return Drawing(picture, frozenset(seen))


def found_points(heatmaps: NDArray[Any], fitting: Fitting, corner: tuple[int, int] = (0, 0)) -> FoundPointsOf:
    """What a head put out for one crop, [rows, columns, points] -> where its points are in the picture."""
    peaks = find_peaks(heatmaps, fitting.resolution)
    return fitting.to_picture(peaks.points) + corner, peaks.scores
