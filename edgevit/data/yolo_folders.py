"""Where the pictures of a `data.yaml` lie: `train`, `val` and `test` are folders, or lists of pictures."""

from __future__ import annotations

import os
from pathlib import Path

from edgevit.data.data_yaml import DataYaml
from edgevit.data.picture_index import PictureIndex
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text

__all__ = ["yolo_parts"]

_KEYS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


def yolo_parts(document: DataYaml, index: PictureIndex) -> tuple[dict[Path, str], list[str]]:
    """Picture -> part, and what is to be said of parts that are not there; nothing where the file names no parts.

    Paths that were right elsewhere are looked for in the folder itself: data sets are moved as they are.
    Raises `DataError` for a picture in two parts, and where no part is there.
    """
    found: dict[Path, str] = {}
    missing, wanted = [], 0
    for key, part in _KEYS.items():
        value = document.values.get(key)
        if not value:
            continue
        if isinstance(value, dict):
            raise document.wrong(key, "is a folder, a list file, or several of these")
        for each in [value] if isinstance(value, str) else value:
            wanted += 1
            place = _resolved(each, document, index.root)
            if place is None:
                missing.append(f"{document.path}, line {document.lines[key]}: no such folder or list: {each}")
                continue
            for file in _files(place, index, part):
                if found.setdefault(file, part) != part:
                    instead = f", or delete the line of {key}: a share then validates" if part == "val" else ""
                    raise document.wrong(key, f"has {file}, which {found[file]} has, too: keep it in one{instead}")
    if wanted and not found:
        raise DataError(missing[0] if missing else f"{document.path}: there are no pictures where its parts should be")
    return found, missing


def _resolved(each: str, document: DataYaml, root: Path) -> Path | None:
    """The folder or list below the root that is meant; None for none."""
    base = document.values.get("path", "")
    words = [word for word in each.replace("\\", "/").split("/") if word not in ("", ".", "..")]
    places = [root / str(base) / each, root / each, *(root.joinpath(*words[start:]) for start in range(len(words)))]
    for place in places:
        inside = os.path.relpath(place, root)
        if not inside.startswith("..") and place.exists():
            return root / inside
    return None


def _files(place: Path, index: PictureIndex, part: str) -> list[Path]:
    if place.is_dir():
        return [file for file in index.files if place in file.parents or place == index.root]
    try:
        lines = read_text(place).splitlines()
    except NotTextError as error:
        raise DataError(f"the list {place} {error}") from error
    listed = (
        index.expected(line.strip(), f"{place}, line {number}", place, part)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    return [file for file in listed if file is not None]
