"""What the values or colours of masks mean: `classes.txt`, CamVid's `label_colors.txt`, CVAT's `labelmap.txt`.

A line for each class: its name alone (values count from 0), the value in front (`1 animal`), or its colour in front or
behind (`64 128 64 tree`, `tree,64,128,64`, `tree:64,128,64::`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.class_names import composed
from edgevit.data.folder_shapes import part_named
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text

__all__ = ["MOST_CLASSES", "Colour", "MaskClasses", "find_mask_classes", "read_mask_classes"]

MOST_CLASSES = 255
"""A mask is uint8, and 255 is what does not count."""
MAX_BYTES, MOST_IN_LINE = 1_000_000, 500
CLASS_FILES = ("classes.txt", "label_colors.txt", "labelmap.txt", "class_dict.csv", "codes.txt")
"""Ours and most; CamVid's; CVAT's; Kaggle's and fastai's CamVid."""

_BETWEEN = r"(?:\s*[\t,;]\s*|\s+)"
_NUMBERS = rf"(\d{{1,9}}){_BETWEEN}(\d{{1,9}}){_BETWEEN}(\d{{1,9}})"
_COLOUR_FIRST = re.compile(rf"{_NUMBERS}{_BETWEEN}(\S.*)")
_COLOUR_LAST = re.compile(rf"(\S.*?)(?:\s*[\t,;:]\s*|\s+){_NUMBERS}(?::[^:]*:[^:]*)?")
_VALUE_FIRST = re.compile(r"(\d{1,9})(?:\s*[\t,;:=.)|-]\s*|\s+)(\S.*)")
_HEADER = re.compile(r"#.*|\W*(?:name|class)\w*\W+r\w*\W+g\w*\W+b\w*\W*", re.IGNORECASE)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class MaskClasses:
    """The classes in their order, with the value or the colour of each in the masks."""

    path: Path
    names: tuple[str, ...]
    values: tuple[int, ...]
    colours: tuple[Colour, ...] = ()
    """Nothing where masks hold values."""

    def value_of(self, ignored: int | str) -> int | None:
        """The value of a class by its name, or a value itself. Raises `DataError` for what is neither."""
        names = list(map(composed, self.names))
        if isinstance(ignored, str) and composed(ignored) in names:
            return self.values[names.index(composed(ignored))]
        if isinstance(ignored, str) or (self.colours and ignored not in self.values):
            raise DataError(f"{self.path} has no class {ignored!r:.60} that could be ignored (it has {self._shown()})")
        return ignored

    def value_as_trained(self, ignored: int | str, labels: Sequence[str]) -> int | None:
        """The same of what did not count in other masks, those that a model with these labels learned from.

        None where it is nothing here, or a class of the model.
        """
        known = {composed(name): value for name, value in zip(self.names, self.values, strict=True)}
        name = next((each for each, value in known.items() if value == ignored), ignored)
        if name in set(map(composed, labels)) or (self.colours and name not in known):
            return None
        return known.get(composed(name)) if isinstance(name, str) else name

    def _shown(self) -> str:
        return ", ".join(self.names[:10]) + (", …" if len(self.names) > 10 else "")


def find_mask_classes(root: Path) -> Path | None:
    """The file in a folder, or above a folder of a part. Raises `DataError` where there are several."""
    for folder in (root, root.parent) if part_named(root.name) else (root,):
        found = [folder / name for name in CLASS_FILES if (folder / name).is_file()]
        if len(found) > 1:
            raise DataError(f"{folder} has {found[0].name} and {found[1].name}: keep the one that says what masks mean")
        if found:
            return found[0]
    return None


def read_mask_classes(path: Path) -> MaskClasses:
    """Raises `DataError`, which names the line."""
    try:
        lines = [line.strip() for line in read_text(path, most=MAX_BYTES).splitlines()]
    except NotTextError as error:
        raise DataError(f"{path} {error}") from error
    long = next((number for number, line in enumerate(lines, start=1) if len(line) > MOST_IN_LINE), None)
    if long is not None:
        raise DataError(f"{path}, line {long}: more than {MOST_IN_LINE} characters are no name")
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line and not _HEADER.fullmatch(line)]
    if not rows:
        raise DataError(f"{path} is empty: one class a line is expected")
    if len(rows) > MOST_CLASSES:
        raise DataError(f"{path}, line {rows[MOST_CLASSES][0]}: masks have at most {MOST_CLASSES} classes")
    for pattern, name_first in ((_COLOUR_FIRST, False), (_COLOUR_LAST, True)):
        matches = [pattern.fullmatch(line) for _, line in rows]
        if any(matches):
            return _with_colours(path, rows, matches, name_first)
    matches = [_VALUE_FIRST.fullmatch(line) for _, line in rows]
    count = sum(match is not None for match in matches)
    if count == len(rows):
        return _with_values(path, rows, [(int(match[1]), match[2]) for match in matches if match])
    if 2 * count > len(rows):
        number, line = next(row for row, match in zip(rows, matches, strict=True) if match is None)
        raise DataError(f"{path}, line {number}: {line!r:.60} has no value in front, as the others have")
    return _with_values(path, rows, [(place, line) for place, (_, line) in enumerate(rows)])


def _with_colours(
    path: Path, rows: Sequence[tuple[int, str]], matches: Sequence[re.Match[str] | None], name_first: bool
) -> MaskClasses:
    names: list[str] = []
    colours: list[Colour] = []
    for (number, line), match in zip(rows, matches, strict=True):
        if match is None:
            raise DataError(f"{path}, line {number}: {line!r:.60} has no name and three numbers, as the others have")
        words = match.groups()
        name, numbers = (words[0], words[1:]) if name_first else (words[3], words[:3])
        red, green, blue = map(int, numbers)
        colour = (red, green, blue)
        if max(colour) > 255:
            raise DataError(f"{path}, line {number}: {max(colour)} is no part of a colour, which go to 255")
        if colour in colours:
            raise DataError(
                f"{path}, line {number}: the colour {red} {green} {blue} is {names[colours.index(colour)]!r}, too"
            )
        names.append(name)
        colours.append(colour)
    return _checked(MaskClasses(path, tuple(names), tuple(range(len(names))), tuple(colours)))


def _with_values(path: Path, rows: Sequence[tuple[int, str]], named: Sequence[tuple[int, str]]) -> MaskClasses:
    seen: dict[int, str] = {}
    for (number, _), (value, name) in zip(rows, named, strict=True):
        if value > 255:
            raise DataError(f"{path}, line {number}: {value} is no value of a mask, which go to 255")
        if value in seen:
            raise DataError(f"{path}, line {number}: the value {value} is {seen[value]!r:.60}, too")
        seen[value] = name
    order = sorted(seen)
    return _checked(MaskClasses(path, tuple(seen[value] for value in order), tuple(order)))


def _checked(classes: MaskClasses) -> MaskClasses:
    names = [composed(name) for name in classes.names]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{classes.path}: two classes are called {twice!r:.60}")
    return classes
