"""Boxes in COCO's JSON: `bbox` is x, y, width, height in pixels; an `iscrowd` one covers many objects at once."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path

from edgevit.data.coco_json import CocoDocument, coco_files, coco_numbers, names_of, read_documents
from edgevit.data.found_boxes import BoxRow, FoundBoxes, PictureBoxes
from edgevit.data.picture_index import PictureIndex
from edgevit.errors import DataError

__all__ = ["category_names", "find_coco_boxes", "read_coco_boxes"]


def find_coco_boxes(index: PictureIndex) -> tuple[Path, ...]:
    """The files of boxes; those of keypoints, which have boxes, too, where there are no others."""
    boxes, points = coco_files(index.root)
    return boxes or points


def read_coco_boxes(paths: Sequence[Path], index: PictureIndex) -> FoundBoxes:
    """Raises `DataError`, which names the file and the entry of its `annotations` or `images`."""
    found = FoundBoxes()
    names: dict[object, str] = {}
    documents = read_documents(paths, index, "boxes")
    for document, pictures, part in documents:
        for key, name in category_names(document).items():
            if names.setdefault(key, name) != name:
                raise DataError(
                    f"{document.path}: category {key!r:.40} is {name!r:.60} here and {names[key]!r:.60} elsewhere"
                )
        rows: dict[object, list[BoxRow]] = {key: [] for key in pictures}
        for number, annotation in enumerate(document.annotations):
            key = annotation.get("image_id")
            if not isinstance(key, int | str) or key not in rows:
                raise document.wrong("annotations", number, "image_id", "the id of one of images", key)
            rows[key].append(_row(document, number, names))
        for key, picture in pictures.items():
            if picture is not None:
                entry = PictureBoxes(
                    picture.file, str(document.path), rows[key], picture.stated, part, unit="annotations[%d]"
                )
                found.pictures.append(entry)
    found.names = _in_order(names)
    found.says_parts = "the names of " + names_of([document.path for document, _, _ in documents])
    return found


def category_names(document: CocoDocument) -> dict[object, str]:
    """`id` -> name. Raises `DataError` for an id or a name that is there twice."""
    names: dict[object, str] = {}
    known: set[str] = set()
    for number, category in enumerate(document.categories):
        key, name = category.get("id"), category.get("name")
        if not isinstance(key, int | str) or key in names:
            raise document.wrong("categories", number, "id", "a whole number of its own", key)
        if not isinstance(name, str) or not name.strip() or name.strip() in known:
            raise document.wrong("categories", number, "name", "a name of its own", name)
        names[key] = name.strip()
        known.add(names[key])
    return names


def _in_order(names: dict[object, str]) -> tuple[str, ...]:
    """Of their ids, which may have gaps."""
    order = sorted(names, key=lambda key: (isinstance(key, str), key if isinstance(key, int) else 0, str(key)))
    return tuple(names[key] for key in order)


def _row(document: CocoDocument, number: int, names: dict[object, str]) -> BoxRow:
    annotation = document.annotations[number]
    numbers = coco_numbers(document, number, "bbox", "x, y, width, height")
    if len(numbers) != 4:
        raise document.wrong("annotations", number, "bbox", "x, y, width, height", numbers)
    x, y, width, height = numbers
    crowd, category = annotation.get("iscrowd", 0), annotation.get("category_id")
    if crowd not in (0, 1):
        raise document.wrong("annotations", number, "iscrowd", "0 or 1", crowd)
    if not isinstance(category, int | str):
        raise document.wrong("annotations", number, "category_id", "the id of one of categories", category)
    name = names.get(category, f"category_id {reprlib.repr(category)}")
    return BoxRow(x, y, x + width, y + height, name, number, bool(crowd))
