"""Boxes in a CSV file: `file,xmin,ymin,xmax,ymax,class` in any order, in pixels.

Columns `split`, `width` and `height` (of the picture that was labelled) are read, too. A line whose numbers and class
are empty says that the picture shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.data.class_names import composed
from edgevit.data.found_boxes import BoxRow, FoundBoxes, PictureBoxes
from edgevit.data.labels import listed_names
from edgevit.data.mask_classes import find_mask_classes, read_mask_classes
from edgevit.data.named_table import FILE_COLUMNS, PART_COLUMNS, NamedTable, TableRow, read_header, read_named_table
from edgevit.data.picture_index import PictureIndex, files_near
from edgevit.data.picture_parts import part_of_word, table_parts
from edgevit.errors import DataError

__all__ = ["CORNERS", "find_csv_boxes", "has_boxes", "read_csv_boxes"]

CORNERS = ("xmin", "ymin", "xmax", "ymax")
CLASS_COLUMNS = ("class", "label", "name", "category")
_SIZE = ("width", "height")


def find_csv_boxes(index: PictureIndex) -> tuple[Path, ...]:
    """The tables of boxes in a folder and in those right below it."""
    return tuple(path for path in files_near(index.root, ".csv") if has_boxes(read_header(path)))


def has_boxes(header: Sequence[str]) -> bool:
    """Whether these are the columns of a table of boxes."""
    return set(CORNERS) <= set(header) and bool(set(header) & set(FILE_COLUMNS))


def read_csv_boxes(paths: Sequence[Path], index: PictureIndex) -> FoundBoxes:
    """Raises `DataError`, with file and line, for a cell that is not what its column says."""
    found = FoundBoxes()
    parts = table_parts(paths, index.root, "boxes")
    for path, part in zip(paths, parts, strict=True):
        table = read_named_table(path)
        if table.one_of(PART_COLUMNS):
            found.says_parts = path.name
        elif any(parts):
            found.says_parts = "the tables' names"
        _read_table(table, part, index, found)
    if not found.pictures:
        raise DataError(f"{paths[0]} lists no pictures")
    found.names = _names_beside(paths[0], index, found)
    return found


def _names_beside(table: Path, index: PictureIndex, found: FoundBoxes) -> tuple[str, ...]:
    """Of a classes.txt, where it names a class of the table: another is of masks, which may lie there, too."""
    try:
        names = listed_names(index.root, table.parent)
    except DataError:  # with values or colours, as those of masks have
        listed = find_mask_classes(index.root) or find_mask_classes(table.parent)
        names = read_mask_classes(listed).names if listed else ()
    used = {composed(row.name) for picture in found.pictures for row in picture.rows}
    if names and used and not used & set(map(composed, names)):
        found.assumed.append(f"{table}: classes.txt names none of its classes: left alone")
        return ()
    return names


def _read_table(table: NamedTable, part: str | None, index: PictureIndex, found: FoundBoxes) -> None:
    file = table.one_of(FILE_COLUMNS)
    missing = [name for name in CORNERS if name not in table.columns]
    if file is None or missing:
        given = ",".join(table.columns)
        raise DataError(f"{table.path} must begin with the line file,xmin,ymin,xmax,ymax,class, not {given!r:.100}")
    named = _class_column(table, found)
    said = table.one_of(PART_COLUMNS)
    sizes = set(_SIZE) <= set(table.columns)
    boxes: dict[Path, list[BoxRow]] = {}
    of_file: dict[Path, tuple[str | None, tuple[int, int] | None, TableRow]] = {}
    for row in table.rows:
        picture = index.expected(row.text(file), row.place, table.path, part)
        if picture is None:
            continue
        its_part = part_of_word(row.text(said), row.place) if said else part
        size = _size(row) if sizes else None
        before = of_file.setdefault(picture, (its_part, size, row))
        if before[0] != its_part:
            raise DataError(
                f"{row.place}: {picture.name} is of {its_part} here, and of {before[0]} in line {before[2].line}"
            )
        if before[1] != size:
            raise DataError(f"{row.place}: {picture.name} has another size here than in line {before[2].line}")
        boxes.setdefault(picture, [])
        if any(row[name] for name in (*CORNERS, named)):
            xmin, ymin, xmax, ymax = (row.number(name) for name in CORNERS)
            boxes[picture].append(BoxRow(xmin, ymin, xmax, ymax, row.text(named), row.line))
    _check_pixels(table.path, boxes)
    for picture, rows in boxes.items():
        its_part, size, _ = of_file[picture]
        found.pictures.append(PictureBoxes(picture, str(table.path), rows, size, its_part))


def _class_column(table: NamedTable, found: FoundBoxes) -> str:
    """By its name, or else the only column whose name says nothing."""
    named = table.one_of(CLASS_COLUMNS)
    if named is not None:
        return named
    known = {*FILE_COLUMNS, *PART_COLUMNS, *CORNERS, *_SIZE}
    others = [name for name in table.columns if name not in known]
    if len(others) != 1:
        raise DataError(f"{table.path}, line 1: there is no column class")
    found.assumed.append(f"{table.path}: its column {others[0]!r:.60} is taken for the class")
    return others[0]


def _size(row: TableRow) -> tuple[int, int] | None:
    """(width, height); None where the cells are empty or 0, as tools write that do not know."""
    if not any(row[name] for name in _SIZE):
        return None
    width, height = (int(row.number(name)) for name in _SIZE)
    return (width, height) if width > 0 and height > 0 else None


def _check_pixels(path: Path, boxes: dict[Path, list[BoxRow]]) -> None:
    rows = [row for each in boxes.values() for row in each]
    if rows and all(0 <= number <= 1 for row in rows for number in row[:4]):
        raise DataError(f"{path}: all numbers lie between 0 and 1, as shares do: boxes in CSV files are in pixels")
