"""Pictures with boxes: where the objects of each class are, for detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.data.box_formats import read_found_boxes
from edgevit.data.class_names import class_indices, class_labels, composed, shown
from edgevit.data.dense_set import DenseSet
from edgevit.data.found_boxes import BoxRow, FoundBoxes, PictureBoxes
from edgevit.data.frame_notes import FrameNotes
from edgevit.data.label_problem import BOXES, ProblemCounter
from edgevit.data.picture_frame import PictureFrame
from edgevit.data.picture_index import PictureIndex
from edgevit.data.picture_parts import PictureParts, find_parts
from edgevit.errors import DataError

__all__ = ["BoxSet", "box_training_sets", "clipped", "read_boxes"]

SLACK_PX = 0.1
"""A box that reaches beyond its picture by less is not worth a word: shares are written with few digits."""

FEW_BOXES = 5
"""A class with fewer is worth a word, where another has more."""
MOST_COUNTED = 20


@dataclass(frozen=True, kw_only=True)
class BoxSet(DenseSet):
    """Pictures and their boxes, in one order."""

    BY_PICTURE: ClassVar[tuple[str, ...]] = ("files", "boxes", "classes", "crowd")

    boxes: tuple[NDArray[np.float32], ...]
    """Of each picture [n, 4]: xmin, ymin, xmax, ymax in pixels of the upright picture, from its upper left corner."""
    classes: tuple[NDArray[np.int32], ...]
    """Of each picture [n]: what is in each box."""
    crowd: tuple[NDArray[np.bool_], ...]
    """Of each picture [n]: whether a box covers many objects or one hard to tell: found or not, it does not count."""

    def counts(self) -> dict[int, int]:
        """Class index -> number of boxes, crowds among them."""
        present, numbers = np.unique(np.concatenate([*self.classes, np.zeros(0, np.int32)]), return_counts=True)
        return {int(index): int(number) for index, number in zip(present, numbers, strict=True)}


def read_boxes(
    path: str | Path,
    labels: Sequence[str] = (),
    keys: Sequence[str] = (),
    *,
    part: str | None = "val",
    who: str = "the model",
) -> BoxSet:
    """The boxes of a folder, or of a file of boxes, in COCO's, YOLO's or Pascal VOC's format or as CSV.

    labels, keys, who: the class names that a model knows, as `read_folder` has them: boxes of other classes are
        dropped and counted. Without them, classes count in the order of the file, or else of their names.
    part: `train`, `val` or `test`: which is taken where the folder says which picture is of which; None: all.
    Raises `DataError`, which names file and line, or `PictureError` for a folder that cannot be read.
    """
    found, index = read_found_boxes(Path(path))
    chosen, said = _parts(found, index).taken(part)
    return _box_set(found, index, chosen, (labels, keys, who), said)


def box_training_sets(path: str | Path, *, share: float = 0.1, seed: int = 0) -> tuple[BoxSet, BoxSet]:
    """(train, val) of a folder: as it says itself, or else `share` of the pictures validate, drawn from `seed`.

    What was made of the folder, and counted in it, stands in the first's notes. Raises as `read_boxes` does.
    """
    found, index = read_found_boxes(Path(path))
    train, val, said = _parts(found, index).halves(share, seed)
    both = _box_set(found, index, [*train, *val], ((), (), ""), said)
    first, second = both.halved({found.pictures[place].file for place in train})
    if not first.counts():
        raise DataError(f"{index.root}: no picture that trains has a box")
    return replace(first, assumed=(*first.assumed, *_counted(first))), second


def _counted(boxes: BoxSet) -> tuple[str, ...]:
    """How many boxes each class has to learn from, and which have too few: a name may be mistyped."""
    counts = {name: boxes.counts().get(index, 0) for index, name in enumerate(boxes.labels)}
    most = sorted(counts, key=lambda name: -counts[name])
    listed = ", ".join(f"{name} {counts[name]}" for name in most[:MOST_COUNTED])
    more = f", {len(most) - MOST_COUNTED} more" if len(most) > MOST_COUNTED else ""
    said = [f"{boxes.root}: boxes to train on: {listed}{more}"]
    if few := [name for name in most if counts[name] < FEW_BOXES <= max(counts.values())]:
        said.append(
            f"{boxes.root}: fewer than {FEW_BOXES} boxes to learn from: {shown(few, 5)}; if a name is mistyped, "
            "correct it in the labels"
        )
    return tuple(said)


def _parts(found: FoundBoxes, index: PictureIndex) -> PictureParts:
    pictures = found.pictures
    return find_parts(index, [each.file for each in pictures], [each.part for each in pictures], found.says_parts)


def _box_set(
    found: FoundBoxes,
    index: PictureIndex,
    chosen: Sequence[int],
    known: tuple[Sequence[str], Sequence[str], str],
    said: Sequence[str],
) -> BoxSet:
    labels, keys, who = known
    numbers, names = _class_numbers(found, labels, keys, who, index.root)
    notes = FrameNotes(index.root)
    counter = ProblemCounter()
    files: list[Path] = []
    arrays: list[tuple[NDArray[Any], ...]] = []
    for picture in (found.pictures[place] for place in chosen):
        frame = notes.frame(picture.file, picture.stated, picture.source, counter)
        if frame is not None:
            files.append(picture.file)
            arrays.append(_boxes_of(picture, frame, numbers, counter))
    if not files:
        raise DataError(f"{index.root}: no picture can be read; {'; '.join(map(str, counter.problems()))}")
    boxes, classes, crowd = zip(*arrays, strict=True)
    return BoxSet(
        root=index.root,
        files=tuple(files),
        labels=names,
        problems=counter.problems(),
        assumed=(*said, *found.assumed, *notes.said()),
        left_out=tuple(index.left_out.items()),
        boxes=boxes,
        classes=classes,
        crowd=crowd,
    )


def _class_numbers(
    found: FoundBoxes, labels: Sequence[str], keys: Sequence[str], who: str, root: Path
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Name -> index, of the names that are known, and the labels."""
    if found.numbered:
        if not labels:
            raise DataError(
                f"{root}: its boxes have numbers for classes: give their names in a data.yaml or a classes.txt"
            )
        found.assumed.append(f"{root} has no class names: its numbers count as those of {who}")
        return {f"number {index}": index for index in range(len(labels))}, tuple(labels)
    used = {row.name for picture in found.pictures for row in picture.rows}
    if not labels:
        names = found.names or class_labels(used)
        place = {composed(name): index for index, name in enumerate(names)}
        return {name: place[composed(name)] for name in {*used, *names} if composed(name) in place}, names
    words = set(map(composed, (*labels, *keys)))
    wanted = sorted(used | set(found.names))
    known = [name for name in wanted if composed(name) in words]
    unknown = [name for name in wanted if composed(name) not in words]
    if known and unknown:
        found.assumed.append(f"{root}: {who} has no class {shown(unknown)}")
    return class_indices(known or wanted, labels, keys, root, who), tuple(labels)


def _boxes_of(
    picture: PictureBoxes, frame: PictureFrame, numbers: dict[str, int], counter: ProblemCounter
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    """float32 [n, 4], int32 [n], bool [n]: of those that are within the picture and of a known class."""
    rows = list(picture.rows)
    corners = np.array([row[:4] for row in rows], np.float64).reshape(-1, 4)
    width, height = frame.upright
    if picture.shares:
        corners = corners * (width, height, width, height)
    empty = _empty(corners)
    if frame.turned_from(picture.stated):
        corners = frame.turned_boxes(corners)
    inside, reaching = clipped(corners, frame)
    outside = _empty(inside)
    keep = []
    for place, row in enumerate(rows):
        reason = _reason(row, bool(empty[place]), bool(outside[place]), numbers)
        if reason or reaching[place]:
            counter.add(reason or "clipped at the picture's edge", BOXES, picture.place(row))
        if not reason:
            keep.append(place)
    classes = np.array([numbers[rows[place].name] for place in keep], np.int32)
    crowd = np.array([rows[place].crowd for place in keep], np.bool_)
    return inside[keep].astype(np.float32).reshape(-1, 4), classes, crowd


def _empty(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """bool [n]"""
    found: NDArray[np.bool_] = np.any(corners[:, 2:] <= corners[:, :2], axis=1)
    return found


def _reason(row: BoxRow, empty: bool, outside: bool, numbers: dict[str, int]) -> str:
    """Why a box is dropped; nothing for one that stays."""
    if row.name not in numbers:
        return "dropped for an unknown class"
    if empty:
        return "dropped as empty"
    return "dropped outside the picture" if outside else ""


def clipped(corners: NDArray[np.float64], frame: PictureFrame) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes [n, 4] within the picture, and which of them reached beyond it: bool [n]."""
    width, height = frame.upright
    inside = np.clip(corners, 0.0, (width, height, width, height))
    beyond: NDArray[np.bool_] = np.any(np.abs(inside - corners) > SLACK_PX, axis=1)
    return inside, beyond
