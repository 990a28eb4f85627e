"""Boxes as YOLO has them: a text file for each picture, a line for each box: `class x y width height`.

The numbers are shares of the upright picture's sides, x and y those of the centre. More numbers are an outline: the box
around it is taken. Format: https://docs.ultralytics.com/datasets/detect/, .../segment/.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from edgevit.data.data_yaml import DataYaml, is_data_yaml, read_data_yaml
from edgevit.data.found_boxes import BoxRow, FoundBoxes, PictureBoxes
from edgevit.data.labels import NAMES_FILE, listed_names
from edgevit.data.picture_index import IMAGE_FOLDERS, PictureIndex, files_near
from edgevit.data.yolo_folders import yolo_parts
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text
from edgevit_runtime.preprocess.picture_folders import files_below
from edgevit_runtime.wording import counted

__all__ = ["find_yolo_boxes", "label_file", "read_yolo_boxes"]

LABEL_FOLDER = "labels"
_LOOKED_INTO = 50


def find_yolo_boxes(index: PictureIndex) -> tuple[Path, ...]:
    """The data.yaml of a folder; or its folders `labels` with text files; or the first text file beside a picture."""
    near = files_near(index.root, ".yaml", ".yml")
    yamls = [path for path in near if path.parent == index.root and is_data_yaml(path)]
    if yamls:
        return tuple(yamls)
    texts = [Path(path) for path in files_below(index.root, ".txt") if Path(path).name != NAMES_FILE]
    folders = {folder for text in texts if (folder := _label_folder(text, index.root)) is not None}
    if folders:
        return tuple(sorted(folders))
    known = set(texts)
    beside = [text for file in index.files[:_LOOKED_INTO] if (text := file.with_suffix(".txt")) in known]
    return next(((text,) for text in beside if _begins_with_box(text)), ())


def _label_folder(text: Path, root: Path) -> Path | None:
    return next((each for each in text.parents if each.name.lower() == LABEL_FOLDER and root in each.parents), None)


def _begins_with_box(text: Path) -> bool:
    try:
        words = read_text(text).split("\n", 1)[0].split()
        return len(words) >= 5 and all(math.isfinite(float(word)) for word in words)
    except (NotTextError, ValueError):
        return False


def read_yolo_boxes(paths: Sequence[Path], index: PictureIndex) -> FoundBoxes:
    """Raises `DataError`, which names file and line."""
    yamls = [path for path in paths if path.suffix.lower() in (".yaml", ".yml")]
    if len(yamls) > 1:
        raise DataError(f"{index.root} has {yamls[0].name} and {yamls[1].name}: name the one that is meant")
    found = FoundBoxes()
    said: dict[Path, str] = {}
    posed = False
    if yamls:
        document = read_data_yaml(yamls[0])
        found.names = document.names()
        posed = "kpt_shape" in document.values
        said = _parts_of(document, index, found)
    else:
        # labelImg writes it beside the labels.
        found.names = listed_names(index.root, index.root / LABEL_FOLDER, index.files[0].parent)
        found.numbered = not found.names
    labelled, outlines = set(), 0
    for file in said or index.files:
        text = label_file(file, index.root)
        rows: list[BoxRow] = []
        if text is not None:
            labelled.add(text)
            rows, more = _read_lines(text, found.names, posed)
            outlines += more
        source = str(text or file)
        found.pictures.append(PictureBoxes(file, source, rows, None, said.get(file), shares=True))
    without = len(found.pictures) - len(labelled)
    if not labelled:
        raise DataError(f"{index.root}: none of {counted(without, 'picture')} has a text file with boxes")
    if without:
        found.assumed.append(
            f"{index.root}: {counted(without, 'picture')} without a text file: taken for showing nothing"
        )
    if outlines:
        found.assumed.append(
            f"{index.root}: {counted(outlines, 'outline')} of objects: the boxes around them are taken"
        )
    alone = [text for text in _label_texts(index.root) if text not in labelled] if not said else []
    if alone:
        found.assumed.append(f"{index.root}: {counted(len(alone), 'text file')} without a picture, such as {alone[0]}")
    return found


def _parts_of(document: DataYaml, index: PictureIndex, found: FoundBoxes) -> dict[Path, str]:
    said, missing = yolo_parts(document, index)
    found.assumed += missing
    found.says_parts = document.path.name
    return said


def _label_texts(root: Path) -> list[Path]:
    texts = [Path(path) for path in files_below(root, ".txt")]
    return [text for text in texts if _label_folder(text, root) is not None and text.name != NAMES_FILE]


def label_file(picture: Path, root: Path) -> Path | None:
    """The text file of a picture: in `labels/` in the place of `images/`, in a `labels/` above it, or beside it."""
    parts = picture.relative_to(root).with_suffix(".txt").parts
    for place in reversed(range(len(parts) - 1)):
        if parts[place].lower() in IMAGE_FOLDERS:
            mirrored = root.joinpath(*parts[:place], LABEL_FOLDER, *parts[place + 1 :])
            if mirrored.is_file():
                return mirrored
    for text in (root / LABEL_FOLDER / Path(*parts), picture.with_suffix(".txt")):
        if text.is_file():
            return text
    return None


def _read_lines(text: Path, names: tuple[str, ...], posed: bool) -> tuple[list[BoxRow], int]:
    """The boxes, and how many of them were made of outlines."""
    try:
        lines = read_text(text).splitlines()
    except NotTextError as error:
        raise DataError(f"{text} {error}") from error
    rows, outlines = [], 0
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        where = f"{text}, line {number}"
        if not words[0].isdecimal() or len(words[0]) > 9:
            raise DataError(f"{where}: a line begins with the number of a class, not {words[0]!r:.60}")
        shares = [_share(word, where) for word in words[1:]]
        index = int(words[0])
        outline = len(shares) >= 6 and len(shares) % 2 == 0 and not posed
        if outline:
            across, down = shares[0::2], shares[1::2]
            corners = (min(across), min(down), max(across), max(down))
            outlines += 1
        elif len(shares) == 4 or (posed and len(shares) > 4):
            x, y, width, height = shares[:4]
            corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        else:
            raise DataError(f"{where}: a class and four numbers are expected, or an outline, not {len(words)} numbers")
        rows.append(BoxRow(*corners, names[index] if index < len(names) else f"number {index}", number))
    return rows, outlines


def _share(word: str, where: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in word:
        raise DataError(f"{where}: {word!r:.60} is no number")
    if not -1.0 <= value <= 2.0:
        raise DataError(
            f"{where}: {word} is no share of a picture's side, which lies between 0 and 1: is it in pixels?"
        )
    return value
