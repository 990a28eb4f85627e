"""A CSV file whose first line names its columns, in any order: rows of labels, each known by its line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.label_tables import table_rows
from edgevit.errors import DataError

__all__ = ["FILE_COLUMNS", "PART_COLUMNS", "NamedTable", "TableRow", "read_header", "read_named_table"]

FILE_COLUMNS = ("file", "filename", "image")
PART_COLUMNS = ("split", "part", "subset")
HEADER_BYTES = 65_536
MOST_COLUMNS = 2000


@dataclass(frozen=True, slots=True)
class TableRow:
    """The cells of one line: `row["xmin"]`."""

    path: Path
    line: int
    places: Mapping[str, int]
    """Of the columns; one for all rows."""
    cells: Sequence[str]

    def __getitem__(self, column: str) -> str:
        return self.cells[self.places[column]].strip()

    def get(self, column: str) -> str:
        """Empty where there is no such column."""
        return self[column] if column in self.places else ""

    @property
    def place(self) -> str:
        """`boxes.csv, line 7`, with the file's whole path."""
        return f"{self.path}, line {self.line}"

    def number(self, column: str) -> float:
        """A finite number. Raises `DataError`."""
        text = self[column]
        try:
            value = float(text.replace(",", "."))  # the decimal comma, where semicolons or tabs lie between
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            raise DataError(f"{self.place}: {column} is a number, not {text!r:.60}")
        return value

    def text(self, column: str) -> str:
        """Raises `DataError` for an empty cell."""
        if not self[column]:
            raise DataError(f"{self.place}: {column} is empty")
        return self[column]


@dataclass(frozen=True)
class NamedTable:
    """The rows that hold anything, and the columns in their order: lower case, without spaces around."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]

    def one_of(self, names: Sequence[str]) -> str | None:
        """The first of the names that a column has."""
        return next((name for name in names if name in self.columns), None)


def read_header(path: Path) -> tuple[str, ...]:
    """The columns that a file's first line names; nothing for one that cannot be read. For telling tables apart."""
    try:
        with path.open("rb") as file:
            line = file.read(HEADER_BYTES).split(b"\n")[0].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ()
    between = next((each for each in ";\t" if each in line and "," not in line), ",")
    return tuple(each.strip().strip('"').lower() for each in line.split(between))


def read_named_table(path: Path) -> NamedTable:
    """Raises `DataError` for a file that is no CSV, or whose lines have other lengths than the first."""
    rows = table_rows(path)
    columns = tuple(cell.strip().lower() for cell in rows[0]) if rows else ()
    if len(columns) > MOST_COLUMNS:
        raise DataError(f"{path}, line 1: {len(columns)} columns; at most {MOST_COLUMNS} are read")
    twice = next((each for each in columns if columns.count(each) > 1), None)
    if twice is not None:
        raise DataError(f"{path}, line 1: two columns are called {twice!r:.60}")
    places = {name: place for place, name in enumerate(columns)}
    found = []
    for line, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(columns):
            raise DataError(f"{path}, line {line}: {len(columns)} values are expected, not {len(row)}")
        found.append(TableRow(path, line, places, row))
    return NamedTable(path, columns, tuple(found))
