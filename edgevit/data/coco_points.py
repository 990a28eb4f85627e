"""Keypoints in COCO's JSON: x, y and visibility of each, one after the other. Format: https://cocodataset.org/#format-data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.coco_json import CocoDocument, coco_files, coco_numbers, names_of, read_documents
from edgevit.data.found_points import HIDDEN, UNLABELLED, VISIBLE, FoundPoints, PicturePoints, Subject
from edgevit.data.picture_index import PictureIndex
from edgevit.errors import DataError

__all__ = ["find_coco_points", "read_coco_points"]


def find_coco_points(index: PictureIndex) -> tuple[Path, ...]:
    """The files of a folder that have keypoints."""
    return coco_files(index.root)[1]


def read_coco_points(paths: Sequence[Path], index: PictureIndex) -> FoundPoints:
    """Raises `DataError`, which names the file and the entry of its lists."""
    found = FoundPoints()
    documents = read_documents(paths, index, "keypoints")
    for document, pictures, part in documents:
        category = _category(document)
        _same_names(document, category, found)
        subjects: dict[object, list[Subject]] = {key: [] for key in pictures}
        for number, annotation in enumerate(document.annotations):
            key = annotation.get("image_id")
            if not isinstance(key, int | str) or key not in subjects:
                raise document.wrong("annotations", number, "image_id", "the id of one of images", key)
            if "category_id" not in annotation:
                raise document.wrong("annotations", number, "category_id", "the id of one of categories", None)
            if annotation.get("category_id") == category.get("id") and not annotation.get("iscrowd"):
                subjects[key].append(_subject(document, number, len(found.names)))
        for key, picture in pictures.items():
            if picture is not None:
                source = str(document.path)
                entry = PicturePoints(picture.file, source, subjects[key], picture.stated, part, "annotations[%d]")
                found.pictures.append(entry)
    found.says_parts = "the names of " + names_of([document.path for document, _, _ in documents])
    return found


def _category(document: CocoDocument) -> Mapping[str, Any]:
    """The one whose keypoints have names."""
    posed = [each for each in document.categories if each.get("keypoints")]
    if len(posed) != 1:
        names = " and ".join(repr(each.get("name"))[:60] for each in posed[:3]) or "none"
        raise DataError(f"{document.path}: keypoints of one category are read, and those that name some are {names}")
    return posed[0]


def _same_names(document: CocoDocument, category: Mapping[str, Any], found: FoundPoints) -> None:
    number = next(place for place, each in enumerate(document.categories) if each is category)
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise document.wrong("categories", number, "keypoints", "a list of names", names)
    if len(set(names)) < len(names):
        raise document.wrong("categories", number, "keypoints", "a list of different names", names)
    if found.names and found.names != tuple(names):
        raise DataError(f"{document.path}: its keypoints have other names than those of the files before")
    lines = category.get("skeleton") or []
    ends = range(1, len(names) + 1)
    if not isinstance(lines, list) or not all(isinstance(each, list) and len(each) == 2 for each in lines):
        raise document.wrong("categories", number, "skeleton", "a list of pairs", lines)
    if not all(type(end) is int and end in ends for each in lines for end in each):
        raise document.wrong("categories", number, "skeleton", f"pairs of 1 to {len(names)}", lines)
    found.names = tuple(names)
    found.skeleton = tuple((each[0] - 1, each[1] - 1) for each in lines)
    found.label = str(category.get("name") or "")[:200]


def _subject(document: CocoDocument, number: int, count: int) -> Subject:
    wanted = f"x, y and visibility of {count} points"
    numbers = coco_numbers(document, number, "keypoints", wanted)
    points = np.array(numbers, np.float64)
    if len(numbers) != 3 * count or not set(points[2::3]) <= {UNLABELLED, HIDDEN, VISIBLE}:
        raise document.wrong("annotations", number, "keypoints", wanted + " (0, 1 or 2)", numbers)
    annotation = document.annotations[number]
    box = None
    if annotation.get("bbox") is not None:
        corners = coco_numbers(document, number, "bbox", "x, y, width, height")
        if len(corners) != 4:
            raise document.wrong("annotations", number, "bbox", "x, y, width, height", corners)
        x, y, width, height = corners
        box = (x, y, x + width, y + height)
    area = annotation.get("area")
    known = isinstance(area, int | float) and not isinstance(area, bool) and 0 < area <= 1e12
    return Subject(points.reshape(count, 3), number, box, float(area) if known and area is not None else None)
