"""A `split.csv` that says of pictures which part each is of, and nothing else: of a run for `segment`, `detect` or
`keypoints`, and of data sets. (A classifier's run has classes in it, too: `label_tables`.)"""

from __future__ import annotations

import csv
from pathlib import Path

from edgevit.errors import DataError

__all__ = ["split_part"]

HEADER = ("file", "split")


def split_part(table: Path, part: str) -> tuple[Path, ...] | None:
    """The pictures of a part, `train` or `val`; None for a table with other columns.

    A run's names them wherever they lie, a data set's those beside it or in a folder `images` there. Raises `DataError`
    for one that is not there, and where there is none of that part.
    """
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        if tuple(rows.fieldnames or ()) != HEADER:
            return None
        named = [row["file"] for row in rows if row["split"] == part]
    found = []
    for name in named:
        places = table.parent / name, table.parent / "images" / name
        file = next((each for each in places if each.is_file()), None)
        if file is None:
            raise DataError(f"{table} names {name}, which is not there")
        found.append(file)
    if not found:
        raise DataError(f"{table} lists no pictures of the part {part}")
    return tuple(found)
