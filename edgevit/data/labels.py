"""Class names from a text file: one a line, with or without indices, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text

__all__ = ["NAMES_FILE", "listed_names", "read_label_keys", "read_labels"]

NAMES_FILE = "classes.txt"

_INDEX_FIRST = re.compile(r"(\d{1,9})(?:\s*[\t,;:=.)|-]\s*|\s+)(\S.*)")
"""`2<TAB>roses`, `2 roses`, `2,roses`, `2: roses`."""
_INDEX_LAST = re.compile(r"\S.*[\t,;:=]\s*(\d{1,9})")
"""`roses<TAB>2`, `roses,2`."""
_WNID_FIRST = re.compile(r"(n\d{8})[\s,;:]+(\S.*)")
"""`n01440764 tench, Tinca tinca`: ImageNet's own list."""

_Row = tuple[str, str]
"""What stands before a name, or nothing, and the name."""


def read_labels(path: str | Path) -> tuple[str, ...]:
    """The class names in index order.

    One name a line; behind the last tab where every line has tabs (`n01440764<TAB>tench`). Lines that begin with the
    indices 0 to N-1 (`2 roses`, `2,roses`, `2: roses`) are put in their order. Or JSON: a list of names, index -> name,
    or name -> index.

    Raises `DataError` for a missing, empty or unreadable file, and for numbers that look like indices and are none.
    """
    return tuple(name for _, name in _rows(Path(path)))


def listed_names(*folders: Path) -> tuple[str, ...]:
    """Those of the first of the folders that has a `classes.txt`; nothing where none has."""
    return next((read_labels(each / NAMES_FILE) for each in folders if (each / NAMES_FILE).is_file()), ())


def read_label_keys(path: str | Path) -> tuple[str, ...]:
    """What stands before each name, `n01440764` of `n01440764<TAB>tench`; nothing where not every name has one.

    Raises `DataError` as `read_labels` does.
    """
    keys = tuple(key for key, _ in _rows(Path(path)))
    return keys if all(keys) else ()


def _rows(path: Path) -> list[_Row]:
    if not path.is_file():
        raise DataError(f"no such label file: {path}")
    try:
        text = read_text(path)
    except NotTextError as error:
        raise DataError(f"the label file {path} {error}") from error
    try:
        rows = _of_json(text) if text.lstrip()[:1] in ("[", "{") else _of_lines(text)
    except DataError as error:
        raise DataError(f"the label file {path} {error}") from error
    if not rows:
        raise DataError(f"the label file {path} is empty")
    return rows


def _of_lines(text: str) -> list[_Row]:
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    blank = next((number for number, line in enumerate(lines, start=1) if not line), None)
    if blank is not None:
        raise DataError(f"has an empty line {blank}")
    lines = _by_index(lines)
    wnids = [_WNID_FIRST.fullmatch(line) for line in lines]
    if all("\t" in line for line in lines):
        rows = [[word.strip() for word in line.split("\t")] for line in lines]
        return [(row[-2], row[-1]) for row in rows]
    if all(wnids):
        return [(match[1], match[2]) for match in wnids if match]
    return [("", line) for line in lines]


def _by_index(lines: list[str]) -> list[str]:
    """The lines by the indices that they begin with, without these; as they are where they begin with none.

    Raises `DataError` where most begin with a number, and these are not 0 to N-1: then which line is which class is
    not known. A name that begins with a number (`7 up`) among others that do not is a name.
    """
    matches = [_INDEX_FIRST.fullmatch(line) for line in lines]
    numbers = [int(match[1]) if match else None for match in matches]
    if _are_indices(numbers):
        named = sorted((int(match[1]), _unquoted(match[2])) for match in matches if match)
        if len(named) > 1 and len({name for _, name in named}) == 1:
            raise DataError(f"calls all classes {named[0][1]!r}, with the indices in front; {_HOW}")
        return [name for _, name in named]
    if len(lines) > 1 and 2 * sum(number is not None for number in numbers) > len(lines):
        raise DataError(
            f"has lines that begin with numbers, and these are not the indices 0 to {len(lines) - 1}: "
            f"{_fault(lines, numbers)}; {_HOW}"
        )
    last = [_INDEX_LAST.fullmatch(line) for line in lines]
    if len(lines) > 1 and _are_indices([int(match[1]) if match else None for match in last]):
        raise DataError(f"has the indices behind the names: {lines[0]!r:.60}; {_HOW}")
    return lines


_HOW = "write one name a line, in the order of the classes, or the index in front of each, from 0: `0<TAB>daisy`"


def _are_indices(numbers: Sequence[int | None]) -> bool:
    return {*numbers} == {*range(len(numbers))} and bool(numbers)


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == '"' else name


def _fault(lines: Sequence[str], numbers: Sequence[int | None]) -> str:
    """What keeps the numbers from being the indices."""
    seen: dict[int, int] = {}
    for place, number in enumerate(numbers, start=1):
        if number is None:
            return f"line {place} has none, {lines[place - 1]!r:.60}"
        if number in seen:
            return f"{number} stands in the lines {seen[number]} and {place}"
        seen[number] = place
    lacking = next(index for index in range(len(lines)) if index not in seen)
    return f"{lacking} is missing" + (" (they begin at 1)" if min(seen) == 1 else "")


def _of_json(text: str) -> list[_Row]:
    """A list of names; index -> name (also `id2label` in a config.json) or -> [key, name]; name -> index."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"begins like JSON and is none: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("id2label"), dict):
        found = found["id2label"]
    if isinstance(found, dict):
        found = _json_in_order(found)
    rows = [_json_row(each) for each in found]
    if any(not name for _, name in rows):
        raise DataError(f"has no name for class {[name for _, name in rows].index('')}")
    return rows


def _json_in_order(found: dict[str, Any]) -> list[Any]:
    indices = [int(key) if key.isdecimal() and len(key) < 10 else None for key in found]
    if _are_indices(indices):
        return [each for _, each in sorted(zip(map(int, found), found.values(), strict=True), key=lambda pair: pair[0])]
    values = [each if type(each) is int else None for each in found.values()]
    if _are_indices(values):
        return sorted(found, key=lambda name: int(found[name]))
    raise DataError(
        f"is JSON with {len(found)} keys, and neither these nor their values are the indices 0 to {len(found) - 1}"
    )


def _json_row(found: Any) -> _Row:
    words = found if isinstance(found, list) else ["", found]
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        raise DataError(f"is JSON that holds {found!r:.60} in the place of a name")
    return words[0].strip(), words[1].strip()
