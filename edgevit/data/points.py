"""Pictures with keypoints: where the named points of each subject are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.data.class_names import class_order
from edgevit.data.coco_points import find_coco_points, read_coco_points
from edgevit.data.csv_points import find_csv_points, read_csv_points
from edgevit.data.dense_set import DenseSet
from edgevit.data.found_points import UNLABELLED, FoundPoints, PicturePoints, Subject
from edgevit.data.frame_notes import FrameNotes
from edgevit.data.label_problem import ProblemCounter
from edgevit.data.label_source import label_source
from edgevit.data.picture_frame import PictureFrame
from edgevit.data.picture_index import PictureIndex
from edgevit.data.picture_parts import PictureParts, find_parts
from edgevit.data.point_names import flip_line, flip_order
from edgevit.data.unread_labels import why_unread
from edgevit.errors import DataError

__all__ = ["PointSet", "find_points", "point_training_sets", "read_points"]

SLACK_PX = 1.0
"""A point that lies beyond the edge by less is moved onto it: whole pixels are counted from 0 or from 1."""
_POINTS, _SUBJECTS = ("point", "points"), ("subject", "subjects")

_FORMATS: dict[str, tuple[str, Callable[[PictureIndex], tuple[Path, ...]], Callable[..., FoundPoints]]] = {
    "COCO": (".json", find_coco_points, read_coco_points),
    "CSV": (".csv", find_csv_points, read_csv_points),
}


@dataclass(frozen=True, kw_only=True)
class PointSet(DenseSet):
    """Pictures and the points of what they show, in one order."""

    BY_PICTURE: ClassVar[tuple[str, ...]] = ("files", "points", "boxes", "areas")

    points: tuple[NDArray[np.float32], ...]
    """Of each picture [subjects, points, 3]: x and y in pixels of the upright picture, from its upper left corner, and
    0 (nobody labelled it; x and y are 0, too), 1 (labelled where it is hidden) or 2 (visible)."""
    boxes: tuple[NDArray[np.float32], ...]
    """Of each picture [subjects, 4]: xmin, ymin, xmax, ymax; around the labelled points where the file has none."""
    areas: tuple[NDArray[np.float32], ...]
    """Of each picture [subjects]: of the outline in square pixels, or else of the box; for the similarity of points."""
    names: tuple[str, ...]
    """Of the points, in their order."""
    skeleton: tuple[tuple[int, int], ...] = ()
    """The points between which a line is drawn."""
    flips: tuple[int, ...] = ()
    """For each point the one that it becomes in a mirrored picture."""


def read_points(
    path: str | Path, names: Sequence[str] = (), *, part: str | None = "val", who: str = "the model"
) -> PointSet:
    """The keypoints of a folder, or of a file of them, in COCO's format or as CSV.

    names: the points that a model knows, in its order: they must be those of the file. part: as `read_boxes` has it.
    Raises `DataError`, which names file and line, `ConfigError` for other points than the model's, or `PictureError`.
    """
    found, index = _read(Path(path))
    chosen, said = _parts(found, index).taken(part)
    return _point_set(found, index, chosen, names, who, said)


def point_training_sets(path: str | Path, *, share: float = 0.1, seed: int = 0) -> tuple[PointSet, PointSet]:
    """(train, val) of a folder: as it says itself, or else `share` of the pictures validate, drawn from `seed`.

    What was made of the folder, and counted in it, stands in the first's notes. Raises as `read_points` does.
    """
    found, index = _read(Path(path))
    train, val, said = _parts(found, index).halves(share, seed)
    both = _point_set(found, index, [*train, *val], (), "", said)
    both = replace(both, assumed=(*both.assumed, f"{index.root}: {flip_line(both.names, both.flips)}"))
    return both.halved({found.pictures[place].file for place in train})


def find_points(index: PictureIndex) -> dict[str, tuple[Path, ...]]:
    """Format -> the files of it in a folder."""
    found = {name: find(index) for name, (_, find, _) in _FORMATS.items()}
    return {name: files for name, files in found.items() if files}


def _read(path: Path) -> tuple[FoundPoints, PictureIndex]:
    index = label_source(path)
    if path.is_file():
        name = next((name for name, (suffix, _, _) in _FORMATS.items() if path.suffix.lower() == suffix), None)
        if name is None:
            raise DataError(f"{path} is no file of keypoints by its name (.json, .csv)")
        return _FORMATS[name][2]([path], index), index
    found = find_points(index)
    if not found:
        formats = "COCO's JSON with keypoints, or a CSV file that begins with the line "
        formats += "file,<point>_x,<point>_y,... or file,point,x,y"
        raise DataError(f"{path} has no keypoints in a format that is read: {why_unread(path) or formats}")
    if len(found) > 1:
        named = "; ".join(f"{name}: {files[0].relative_to(path)}" for name, files in found.items())
        raise DataError(f"{path} has keypoints in several formats ({named}): name the file that is meant")
    ((name, files),) = found.items()
    return _FORMATS[name][2](files, index), index


def _parts(found: FoundPoints, index: PictureIndex) -> PictureParts:
    pictures = found.pictures
    return find_parts(index, [each.file for each in pictures], [each.part for each in pictures], found.says_parts)


def _point_set(
    found: FoundPoints, index: PictureIndex, chosen: Sequence[int], names: Sequence[str], who: str, said: Sequence[str]
) -> PointSet:
    where = found.pictures[0].source
    order = class_order(names, found.names, who, where, "points") or list(range(len(found.names)))
    new_place = {old: new for new, old in enumerate(order)}
    names = tuple(found.names[old] for old in order)
    flips = flip_order(names)
    notes, counter = FrameNotes(index.root), ProblemCounter()
    files: list[Path] = []
    arrays: list[tuple[NDArray[Any], ...]] = []
    for picture in (found.pictures[place] for place in chosen):
        frame = notes.frame(picture.file, picture.stated, picture.source, counter)
        if frame is not None:
            files.append(picture.file)
            arrays.append(_arrays(picture, frame, order, counter))
    if not files:
        raise DataError(f"{index.root}: no picture can be read; {'; '.join(map(str, counter.problems()))}")
    points, boxes, areas = zip(*arrays, strict=True)
    return PointSet(
        root=index.root,
        files=tuple(files),
        labels=(found.label,) if found.label else (),
        problems=counter.problems(),
        assumed=(*said, *found.assumed, *notes.said()),
        left_out=tuple(index.left_out.items()),
        points=points,
        boxes=boxes,
        areas=areas,
        names=names,
        skeleton=tuple((new_place[one], new_place[other]) for one, other in found.skeleton),
        flips=flips,
    )


def _arrays(
    picture: PicturePoints, frame: PictureFrame, order: Sequence[int], counter: ProblemCounter
) -> tuple[NDArray[np.float32], ...]:
    """float32 [subjects, points, 3], [subjects, 4] and [subjects] of those that have a labelled point."""
    kept = []
    turned = frame.turned_from(picture.stated)
    for subject in picture.subjects:
        points = _within(subject, picture, frame, turned, counter)
        labelled = points[:, 2] > UNLABELLED
        if not labelled.any():
            counter.add("dropped without a labelled point", _SUBJECTS, picture.place(subject))
            continue
        box = np.concatenate((points[labelled, :2].min(axis=0), points[labelled, :2].max(axis=0)))
        if subject.box is not None:
            given = np.array([subject.box])
            given = np.clip(frame.turned_boxes(given) if turned else given, 0.0, (*frame.upright, *frame.upright))[0]
            box = given if (given[2:] > given[:2]).all() else box
        area = subject.area or float(np.prod(box[2:] - box[:2]))
        kept.append((points[list(order)], box, area))
    return (
        np.array([points for points, _, _ in kept], np.float32).reshape(-1, len(order), 3),
        np.array([box for _, box, _ in kept], np.float32).reshape(-1, 4),
        np.array([area for _, _, area in kept], np.float32),
    )


def _within(
    subject: Subject, picture: PicturePoints, frame: PictureFrame, turned: bool, counter: ProblemCounter
) -> NDArray[np.float64]:
    """[points, 3] in the upright picture; what lies beyond it counts as not labelled."""
    points = subject.points.copy()
    if turned:
        points[:, :2] = frame.turned_points(points[:, :2])
    inside = np.clip(points[:, :2], 0.0, frame.upright)
    beyond = (np.abs(inside - points[:, :2]) > SLACK_PX).any(axis=1) & (points[:, 2] > UNLABELLED)
    for _ in range(int(beyond.sum())):
        counter.add("dropped outside the picture", _POINTS, picture.place(subject))
    points[:, :2] = inside
    points[beyond | (points[:, 2] == UNLABELLED)] = 0.0
    return points
