"""How right points are: PCK, which counts those that are near enough, and COCO's similarity of points (OKS).

Each subject is judged by itself, with the one set of points that was found for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR_SHARE", "SIGMAS", "FoundPointsOf", "SubjectTruth", "point_accuracy", "point_errors", "sigmas_of"]

NEAR_SHARE = 0.05
"""A point is right within so much of the longer side of its subject's box (PCK: Yang and Ramanan 2013, with a stricter
share than theirs)."""

SIGMAS: dict[tuple[str, ...], tuple[float, ...]] = {
    # COCO's people, https://cocodataset.org/#keypoints-eval, as pycocotools has them
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"),
        *("right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee"),
        *("left_ankle", "right_ankle"),
    ): (
        *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087),
        *(0.089, 0.089),
    ),
}
"""By the names of the points how exactly people place each, in shares of the square root of the subject's area."""
USUAL_SIGMA = 0.067
"""Of points of which nobody knows: the mean of COCO's seventeen."""


@dataclass(frozen=True)
class SubjectTruth:
    """One subject, in pixels of its picture.

    points: [points, 3], x, y, and 0 (not labelled), 1 (hidden) or 2 (visible). box: xmin, ymin, xmax, ymax.
    area: in square pixels. picture_size: width and height.
    """

    points: NDArray[np.float32]
    box: NDArray[np.float32]
    area: float
    picture_size: tuple[int, int]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """bool [points]: which are judged, hidden ones among them."""
        return np.asarray(self.points[:, 2] > 0)

    @property
    def side(self) -> float:
        """The longer one of its box, in pixels; of a box around one point alone that of the picture."""
        longer = float(np.max(self.box[2:] - self.box[:2]))
        return longer if longer > 0.0 else float(max(self.picture_size))

    @property
    def extent(self) -> float:
        """Its area; of points on one line, whose box has none, that of a square of its side."""
        return self.area if self.area > 0.0 else self.side**2


FoundPointsOf = tuple[NDArray[Any], NDArray[Any]]
"""Of a subject: points [points, 2], x and y in pixels of its picture, and their scores [points]."""


def sigmas_of(names: Sequence[str], points: int) -> tuple[float, ...]:
    """Those that are known for points of such names, or else `USUAL_SIGMA` for each."""
    return SIGMAS.get(tuple(names), (USUAL_SIGMA,) * points)


def point_errors(truths: Sequence[SubjectTruth], found: Sequence[FoundPointsOf]) -> NDArray[np.float64]:
    """How far off each point is, in pixels of its picture: [subjects, points]; NaN where it is not labelled."""
    true = np.stack([each.points for each in truths]).astype(np.float64)
    placed = np.stack([points for points, _ in found]).astype(np.float64)
    distances = np.linalg.norm(placed - true[..., :2], axis=-1)
    return np.where(true[..., 2] > 0, distances, np.nan)


def point_accuracy(
    truths: Sequence[SubjectTruth], found: Sequence[FoundPointsOf], names: Sequence[str] = ()
) -> dict[str, Any]:
    """`pck`: the share of the labelled points that are within `NEAR_SHARE`; `pck_by_point`, None for one that is
    labelled nowhere; `median_error`: of their distances, in shares of the longer side of the picture; `oks`, the mean
    over subjects; and `oks_ap`, COCO's AP of OKS thresholds of 0.5 to 0.95.

    names: of the points; `sigmas_of` knows some. All figures are 0 (and `median_error` 1) where nothing is labelled.
    """
    errors = point_errors(truths, found) if truths else np.full((0, 0), np.nan)
    judged = ~np.isnan(errors)
    if not judged.any():
        by_point = [None] * errors.shape[1]
        return {"pck": 0.0, "median_error": 1.0, "oks": 0.0, "oks_ap": 0.0, "pck_by_point": by_point}
    near = errors <= NEAR_SHARE * np.array([[each.side] for each in truths])
    shares = errors / np.array([[max(each.picture_size)] for each in truths])
    mean_oks, oks_ap = _similarity(truths, found, sigmas_of(names, errors.shape[1]))
    return {
        "pck": float(near[judged].mean()),
        "median_error": float(np.median(shares[judged])),
        "oks": mean_oks,
        "oks_ap": oks_ap,
        "pck_by_point": [
            float(near[known, point].mean()) if (known := judged[:, point]).any() else None
            for point in range(errors.shape[1])
        ],
    }


def _similarity(
    truths: Sequence[SubjectTruth], found: Sequence[FoundPointsOf], sigmas: Sequence[float]
) -> tuple[float, float]:
    """The mean OKS and its AP, by COCO's own tool: each subject as a picture of its own, as its box is given."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    pairs = [(truth, each) for truth, each in zip(truths, found, strict=True) if truth.labelled.any()]
    known = [
        {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "num_keypoints": int(truth.labelled.sum()),
            "keypoints": truth.points.astype(np.float64).reshape(-1).tolist(),
            "bbox": [*truth.box[:2].tolist(), *(truth.box[2:] - truth.box[:2]).tolist()],
            "area": truth.extent,
        }
        for number, (truth, _) in enumerate(pairs, 1)
    ]
    answered = [
        {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "keypoints": np.insert(np.asarray(points, np.float64), 2, 2.0, axis=1).reshape(-1).tolist(),
            "area": truth.extent,
            "score": float(np.mean(scores)),
        }
        for number, (truth, (points, scores)) in enumerate(pairs, 1)
    ]
    with redirect_stdout(StringIO()):  # it says what it does at each step
        tools = []
        for rows in (known, answered):
            tool = COCO()
            tool.dataset = {
                "images": [{"id": number} for number in range(1, len(pairs) + 1)],
                "categories": [{"id": 1}],
                "annotations": rows,
            }
            tool.createIndex()
            tools.append(tool)
        judge = COCOeval(*tools, "keypoints")
        judge.params.kpt_oks_sigmas = np.asarray(sigmas)
        judge.params.areaRng, judge.params.areaRngLbl = [[0.0, 1e10]], ["all"]
        judge.params.maxDets = [1]
        judge.evaluate()
        judge.accumulate()
    similar = [float(np.asarray(each)[0, 0]) for each in judge.ious.values()]
    return float(np.mean(similar)), float(judge.eval["precision"].mean())
