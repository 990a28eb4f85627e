"""Class names from a text file."""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import DataError


def read_labels(path: str | Path) -> tuple[str, ...]:
    """One name a line, in index order; where every line has tabs, the text behind the last one (`n01440764<TAB>tench`).

    Raises `DataError` for a missing, empty or unreadable file.
    """
    return tuple(row[-1] for row in _rows(Path(path)))


def read_label_keys(path: str | Path) -> tuple[str, ...]:
    """What stands before each name, `n01440764` of `n01440764<TAB>tench`; nothing where not every line has tabs.

    Raises `DataError` as `read_labels` does.
    """
    rows = _rows(Path(path))
    return tuple(row[-2] for row in rows) if len(rows[0]) > 1 else ()


def _rows(path: Path) -> list[list[str]]:
    """The columns of each line; one where not every line has tabs."""
    if not path.is_file():
        raise DataError(f"no such label file: {path}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file in UTF-8: {error.reason} at byte {error.start}") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"the label file {path} is empty")
    blank = next((number for number, line in enumerate(lines, start=1) if not line), None)
    if blank is not None:
        raise DataError(f"the label file {path} has an empty line {blank}")
    tabs = all("\t" in line for line in lines)
    return [[word.strip() for word in line.split("\t")] if tabs else [line] for line in lines]
