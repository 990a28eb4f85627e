"""Tables that say which class each picture shows: `labels.csv`, and the `split.csv` of a training run."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from edgevit.data.class_names import class_indices, class_labels, composed
from edgevit.data.folder_shapes import folders_in
from edgevit.data.picture_set import PictureSet
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text
from edgevit_runtime.preprocess.picture_folders import left_out_line
from edgevit_runtime.preprocess.picture_kinds import can_read, kind_of
from edgevit_runtime.wording import counted

__all__ = ["CLASS_HEADERS", "LABELS_FILE", "SPLIT_FILE", "SPLIT_HEADER", "read_label_table", "read_split", "table_rows"]

LABELS_FILE = "labels.csv"
SPLIT_FILE = "split.csv"
SPLIT_HEADER = ("file", "class_index", "label", "part")
"""`label` is empty where the classes have no names; runs of before have no such column."""
CLASS_HEADERS = (("file", "class_index"), ("file", "label"))


def table_rows(path: Path) -> list[list[str]]:
    """The cells of a CSV file, with commas, semicolons or tabs between. Raises `DataError`."""
    try:
        text = read_text(path)
        first = text.partition("\n")[0]
        # What Excel writes where the comma is the decimal point; and what it calls "Text (Tab delimited)".
        between = next((each for each in ";\t" if each in first and "," not in first), ",")
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=between))
    except NotTextError as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: it {error}") from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error


def read_split(
    path: Path, labels: Sequence[str], keys: Sequence[str] = (), part: Literal["train", "val"] = "val"
) -> PictureSet:
    """The validation pictures of a run, or those that trained; their paths are as the training was given them.

    Their classes are matched to `labels` by name; a run of before, or without names, has the numbers alone.
    Raises `DataError`.
    """
    header, *rows = table_rows(path) or [[]]
    if header == [each for each in SPLIT_HEADER if each != "label"]:
        rows = [[*row[:2], "", *row[2:]] for row in rows]
    elif header != list(SPLIT_HEADER):
        rows = [[]]
    if not all(len(row) == len(SPLIT_HEADER) and row[1].isdecimal() for row in rows):
        raise DataError(f"{path} is not a training run's {SPLIT_FILE}, with the columns {','.join(SPLIT_HEADER)}")
    wanted = [(Path(file), int(index), name) for file, index, name, of in rows if of == part]
    if not wanted:
        raise DataError(f"{path} lists no {'validation' if part == 'val' else 'training'} pictures")
    for file, _, _ in wanted:
        if not file.is_file():
            raise DataError(f"{path}: no such picture: {file}; run this where the training ran")
    files, classes = tuple(file for file, _, _ in wanted), tuple(index for _, index, _ in wanted)
    names = {int(row[1]): row[2] for row in rows}
    if not all(names.values()):
        return PictureSet(path, files, classes, tuple(labels))
    if not labels:
        return PictureSet(path, files, classes, tuple(names.get(index, "") for index in range(max(names) + 1)))
    index = class_indices([names[each] for each in sorted(set(classes))], labels, keys, path)
    return PictureSet(path, files, tuple(index[names[each]] for each in classes), tuple(labels))


def read_label_table(root: Path, labels: Sequence[str], keys: Sequence[str], who: str = "the model") -> PictureSet:
    """The pictures that `labels.csv` in a folder lists. Raises `DataError`."""
    path = root / LABELS_FILE
    rows = table_rows(path)
    header = tuple(cell.strip().lower() for cell in rows[0]) if rows else ()
    if header not in CLASS_HEADERS:
        given = ",".join(cell.strip() for cell in rows[0]) if rows else ""
        raise DataError(f"{path} must begin with the line file,class_index or file,label, not {given!r}")
    entries = [(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    if not entries:
        raise DataError(f"{path} lists no pictures")
    for number, row in entries:
        if len(row) != 2:
            raise DataError(f"{path}, line {number}: two values are expected, not {len(row)}")
    entries, assumed = _each_once([(number, [cell.strip() for cell in row]) for number, row in entries], path)
    values = [row[1] for _, row in entries]
    names = tuple(labels)
    if header[1] == "label":
        names = names or class_labels(values)
        index = class_indices(sorted(set(values)), labels, keys, path, who)
        classes = tuple(index[value] for value in values)
    else:
        for (number, _), value in zip(entries, values, strict=True):
            if not value.isdecimal():
                raise DataError(f"{path}, line {number}: a class index is a whole number from 0, not {value!r}")
        classes = tuple(map(int, values))
    files = tuple(_file(root, row[0]) for _, row in entries)
    for (number, _), file in zip(entries, files, strict=True):
        if not file.is_file():
            raise DataError(f"{path}, line {number}: no such picture: {file}")
    said = _beside_folders(PictureSet(root, files, classes, names), keys, path)
    return _without_unread(PictureSet(root, files, classes, names, assumed=(*said, *assumed)), path)


def _beside_folders(pictures: PictureSet, keys: Sequence[str], path: Path) -> tuple[str, ...]:
    """That the table counts and not the class folders beside it, and whether the two contradict each other.

    Without names the classes are held against the folders in sorted order, where there are as many.
    """
    folders = [composed(folder.name) for folder in folders_in(pictures.root)]
    if len(folders) < 2:
        return ()
    names = pictures.labels or (class_labels(folders) if len(folders) == len(set(pictures.classes)) else ())
    known: dict[str, set[int]] = {}
    for words in (names, keys):
        for index, word in enumerate(words):
            known.setdefault(composed(word), set()).add(index)
    wrong = []
    for file, index in zip(pictures.files, pictures.classes, strict=True):
        inside = file.is_relative_to(pictures.root) and file.relative_to(pictures.root).parts[0]
        if inside and index not in known.get(composed(inside), {index}):
            wrong.append(f"{file.relative_to(pictures.root)} is {pictures.name(index)!r} there")
    said = f"labels from {path}, not from the {len(folders)} folders beside it"
    if not wrong:
        return (said,)
    against = "" if pictures.labels else " in sorted order"
    return (
        said,
        f"{path} contradicts the folders' names{against} for {len(wrong)} of "
        f"{counted(len(pictures.files), 'picture')}: {wrong[0]}",
    )


def _without_unread(pictures: PictureSet, path: Path) -> PictureSet:
    """Without those whose names say that they are of a kind that cannot be read here, which are counted."""
    kinds = [kind_of(file) for file in pictures.files]
    left_out = Counter(kind for kind in kinds if kind is not None and not can_read(kind))
    if not left_out:
        return pictures
    found = pictures.pick([index for index, kind in enumerate(kinds) if kind is None or can_read(kind)])
    found = replace(found, left_out=tuple(sorted(left_out.items())))
    if not found.files:
        raise DataError(f"{path} lists no pictures that can be read: {left_out_line(left_out)}")
    return found


def _file(root: Path, name: str) -> Path:
    """Also where the table was written on Windows."""
    file = root / name
    return root / name.replace("\\", "/") if "\\" in name and not file.exists() else file


def _each_once(entries: list[tuple[int, list[str]]], path: Path) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """The rows without those that name a file again: it would lie in both halves of a split.

    Raises `DataError` for a file of two classes.
    """
    first: dict[Path, tuple[int, str]] = {}
    once = []
    for number, row in entries:
        file = Path(_file(path.parent, row[0])).resolve()
        if file not in first:
            first[file] = (number, row[1])
            once.append((number, row))
        elif first[file][1] != row[1]:
            line, name = first[file]
            raise DataError(f"{path}: {row[0]} is {name!r} in line {line} and {row[1]!r} in line {number}")
    more = len(entries) - len(once)
    return once, (f"{path} names {counted(more, 'picture')} more than once: taken once",) if more else ()
