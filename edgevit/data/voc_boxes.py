"""Boxes as Pascal VOC has them: an XML file for each picture, in `Annotations/` or beside it.

Numbers are taken as pixels from the picture's edge, as labelImg, CVAT and Roboflow write them; the set of the challenge
itself counts pixels from 1, both ends within the box, and says in each file that it is that set.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from edgevit.data.found_boxes import BoxRow, FoundBoxes, PictureBoxes
from edgevit.data.picture_index import PictureIndex
from edgevit.data.voc_xml import VocDocument, VocObject, read_voc
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import files_below
from edgevit_runtime.wording import counted

__all__ = ["find_voc_boxes", "read_voc_boxes"]

_COUNTS_FROM_1 = re.compile(r"The VOC\s?20\d\d Database")
_CORNERS = ("bndbox/xmin", "bndbox/ymin", "bndbox/xmax", "bndbox/ymax")


def find_voc_boxes(index: PictureIndex) -> tuple[Path, ...]:
    """All XML files below a folder, where one of the first is an annotation; otherwise none."""
    files = tuple(map(Path, files_below(index.root, ".xml")))
    return files if any(_begins(file) for file in files[:20]) else ()


def _begins(file: Path) -> bool:
    with file.open("rb") as content:
        return b"<annotation" in content.read(4096)


def read_voc_boxes(paths: Sequence[Path], index: PictureIndex) -> FoundBoxes:
    """Raises `DataError`, which names file and line."""
    found = FoundBoxes()
    seen: dict[Path, Path] = {}
    alone, from_1, difficult = [], 0, 0
    for path in paths:
        document = read_voc(path)
        file = index.of_stem(path) or index.find(document.values.get("filename", ""), path)
        if file is None:
            alone.append(path)
            continue
        if seen.setdefault(file, path) != path:
            raise DataError(f"{path} and {seen[file]} both describe {file}: keep one of them")
        shift = 1.0 if _COUNTS_FROM_1.search(document.values.get("source/database", "")) else 0.0
        from_1 += bool(shift)
        rows = [_row(document, each, shift) for each in document.objects]
        difficult += sum(row.crowd for row in rows)
        found.pictures.append(PictureBoxes(file, str(path), rows, _stated(document)))
    if not found.pictures:
        raise DataError(f"{index.root}: none of {counted(len(alone), 'XML file')} has its picture, such as {alone[0]}")
    if alone:
        found.assumed.append(f"{index.root}: {counted(len(alone), 'XML file')} without a picture, such as {alone[0]}")
    if from_1:
        found.assumed.append(
            f"{index.root}: {counted(from_1, 'picture')} of the VOC challenge: its pixels count from 1"
        )
    if difficult:
        found.assumed.append(f"{index.root}: {difficult} boxes called difficult: found or not, they do not count")
    return found


def _row(document: VocDocument, each: VocObject, shift: float) -> BoxRow:
    place = f"{document.path}, line {each.line}"
    name = each.values.get("name", "")
    if not name:
        raise DataError(f"{place}: this object has no name")
    corners = []
    for key in _CORNERS:
        text = each.values.get(key, "")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in text:
            raise DataError(f"{place}: {key} is a number, not {text!r:.60}")
        corners.append(number)
    xmin, ymin, xmax, ymax = corners
    difficult = each.values.get("difficult", "0") or "0"
    if difficult not in ("0", "1"):
        raise DataError(f"{place}: difficult is 0 or 1, not {difficult!r:.60}")
    return BoxRow(xmin - shift, ymin - shift, xmax, ymax, name, each.line, difficult == "1")


def _stated(document: VocDocument) -> tuple[int, int] | None:
    """None where it is missing or 0, as some tools write."""
    sides = []
    for key in ("size/width", "size/height"):
        text = document.values.get(key, "")
        if text and not re.fullmatch(r"\d{1,9}", text):
            raise DataError(f"{document.path}: {key} is a whole number, not {text!r:.60}")
        sides.append(int(text or 0))
    return (sides[0], sides[1]) if all(sides) else None
