"""Keypoints in a CSV file, in pixels: a line for each subject (`file,nose_x,nose_y,tail_x,tail_y`), or for each point
(`file,point,x,y`).

A line for each subject may have `nose_v` or `nose_visible`, and `xmin,ymin,xmax,ymax`; one for each point `visible`,
and `subject` where a picture shows several. Empty cells are points that nobody labelled. `split` is read in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgevit.data.csv_boxes import CORNERS
from edgevit.data.found_points import HIDDEN, UNLABELLED, VISIBLE, FoundPoints, PicturePoints, Subject
from edgevit.data.named_table import FILE_COLUMNS, PART_COLUMNS, NamedTable, TableRow, read_header, read_named_table
from edgevit.data.picture_index import PictureIndex, files_near
from edgevit.data.picture_parts import part_of_word, table_parts
from edgevit.errors import DataError

__all__ = ["find_csv_points", "has_points", "read_csv_points"]

MOST_POINTS = 1000
_LONG = ("point", "x", "y")
_SEEN = ("visible", "v")
_Rows = dict[Path, dict[str, list[TableRow]]]
"""Picture -> subject -> its lines."""


def find_csv_points(index: PictureIndex) -> tuple[Path, ...]:
    """The tables of points in a folder and in those right below it."""
    return tuple(path for path in files_near(index.root, ".csv") if has_points(read_header(path)))


def has_points(header: Sequence[str]) -> bool:
    """Whether these are the columns of a table of points."""
    return bool(set(header) & set(FILE_COLUMNS)) and (set(_LONG) <= set(header) or bool(_wide_names(header)))


def _wide_names(columns: Sequence[str]) -> tuple[str, ...]:
    """`nose` where there are `nose_x` and `nose_y`."""
    known = set(columns)
    return tuple(each[:-2] for each in columns if each.endswith("_x") and len(each) > 2 and f"{each[:-2]}_y" in known)


def read_csv_points(paths: Sequence[Path], index: PictureIndex) -> FoundPoints:
    """Raises `DataError`, with file and line, for a cell that is not what its column says."""
    found = FoundPoints()
    parts = table_parts(paths, index.root, "points")
    for path, part in zip(paths, parts, strict=True):
        table = read_named_table(path)
        if table.one_of(PART_COLUMNS):
            found.says_parts = path.name
        elif any(parts):
            found.says_parts = "the tables' names"
        _read_table(table, part, index, found)
    if not found.pictures:
        raise DataError(f"{paths[0]} lists no pictures")
    return found


def _read_table(table: NamedTable, part: str | None, index: PictureIndex, found: FoundPoints) -> None:
    file = table.one_of(FILE_COLUMNS)
    long = set(_LONG) <= set(table.columns)
    names = tuple(dict.fromkeys(row.text("point") for row in table.rows)) if long else _wide_names(table.columns)
    if file is None or not names:
        given = ",".join(table.columns)
        raise DataError(
            f"{table.path} must begin with the line file,<point>_x,<point>_y,... or file,point,x,y, not {given!r:.100}"
        )
    if len(names) > MOST_POINTS:
        raise DataError(f"{table.path} has {len(names)} different points; at most {MOST_POINTS} are read")
    if found.names and set(found.names) != set(names):
        raise DataError(f"{table.path}: its points have other names than those of the tables before")
    found.names = found.names or names
    said = table.one_of(PART_COLUMNS)
    rows: _Rows = {}
    its_part: dict[Path, str | None] = {}
    for row in table.rows:
        picture = index.expected(row.text(file), row.place, table.path, part)
        if picture is None:
            continue
        named = part_of_word(row.text(said), row.place) if said else part
        if its_part.setdefault(picture, named) != named:
            raise DataError(f"{row.place}: {picture.name} is of {named} here, and of {its_part[picture]} before")
        subject = row.get("subject") if long else str(row.line)
        rows.setdefault(picture, {}).setdefault(subject, []).append(row)
    seen = _Seen(table, names, long, found)
    for picture, subjects in rows.items():
        made = [seen.of_points(each) if long else seen.of_line(each[0]) for each in subjects.values()]
        found.pictures.append(PicturePoints(picture, str(table.path), made, None, its_part[picture]))


class _Seen:
    """Makes subjects of lines; knows what the table means by visible."""

    def __init__(self, table: NamedTable, names: Sequence[str], long: bool, found: FoundPoints) -> None:
        self._order = {name: index for index, name in enumerate(found.names)}
        self._names = names
        every = [*_SEEN] if long else [f"{name}_{word}" for name in names for word in _SEEN]
        self._columns = [column for column in every if column in table.columns]
        yes_or_no = [column for column in self._columns if column.endswith("visible")]
        self._yes_or_no = bool(yes_or_no) and not any(row[each] == "2" for row in table.rows for each in yes_or_no)
        if self._yes_or_no:
            found.assumed.append(f"{table.path}: visible is 0 or 1: 1 is taken for visible, 0 for hidden")
        self._boxed = not long and set(CORNERS) <= set(table.columns)

    def of_line(self, row: TableRow) -> Subject:
        points = np.zeros((len(self._order), 3))
        for name in self._names:
            columns = [column for column in (f"{name}_visible", f"{name}_v") if column in self._columns]
            points[self._order[name]] = self._point(row, f"{name}_x", f"{name}_y", next(iter(columns), ""))
        box = None
        if self._boxed and any(row[name] for name in CORNERS):
            xmin, ymin, xmax, ymax = (row.number(name) for name in CORNERS)
            box = (xmin, ymin, xmax, ymax)
        return Subject(points, row.line, box)

    def of_points(self, rows: Sequence[TableRow]) -> Subject:
        points = np.zeros((len(self._order), 3))
        lines: dict[str, int] = {}
        for row in rows:
            name = row["point"]
            if lines.setdefault(name, row.line) != row.line:
                raise DataError(
                    f"{row.place}: {name!r:.60} was in line {lines[name]}, too: a picture that shows several needs the "
                    "column subject"
                )
            points[self._order[name]] = self._point(row, "x", "y", next(iter(self._columns), ""))
        return Subject(points, rows[0].line)

    def _point(self, row: TableRow, x: str, y: str, seen: str) -> tuple[float, float, int]:
        if not row[x] and not row[y]:
            return 0.0, 0.0, UNLABELLED
        said = row[seen] if seen else ""
        if said not in ("", "0", "1", "2"):
            raise DataError(f"{row.place}: {seen} is 0, 1 or 2, not {said!r:.60}")
        visible = int(said or VISIBLE)
        if said and self._yes_or_no and seen.endswith("visible"):
            visible = VISIBLE if visible else HIDDEN
        return row.number(x), row.number(y), visible
