"""COCO's JSON: pictures, categories and annotations in one file. Format: https://cocodataset.org/#format-data."""

from __future__ import annotations

import json
import mmap
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.data.picture_index import NoSuchPictureError, PictureIndex, files_near
from edgevit.data.picture_parts import table_parts
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text

__all__ = [
    "COCO_LISTS",
    "CocoDocument",
    "CocoPicture",
    "CocoPictures",
    "MissingPicturesError",
    "coco_files",
    "coco_numbers",
    "is_coco",
    "named_lists",
    "names_of",
    "pictures_of",
    "read_coco",
    "read_documents",
]

MAX_BYTES = 1_000_000_000
"""instances_train2017.json has 470 million."""
MOST_LISTS, MOST_VALUES = 20_000_000, 120_000_000
"""Lists and objects, and values in them: twice what that file has."""
_KEPT = {
    "images", "annotations", "categories", "id", "file_name", "width", "height", "image_id", "category_id", "bbox",
    "iscrowd", "area", "keypoints", "skeleton", "name",
}  # fmt: skip
"""What is read; outlines of objects, the most of such a file, are dropped while it is parsed."""
_LARGEST = 1e9
COCO_LISTS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class CocoPicture:
    """One of `images`."""

    file: Path
    stated: tuple[int, int] | None
    """(width, height) as the file has it."""


CocoPictures = dict[object, CocoPicture | None]
"""By `id`; None for one of a kind that cannot be read."""


@dataclass(frozen=True)
class CocoDocument:
    """The three lists of a file, each of objects."""

    path: Path
    images: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]
    categories: Sequence[Mapping[str, Any]]

    def wrong(self, what: str, number: int, key: str, wanted: str, value: Any) -> DataError:
        """`instances.json, annotations[3]: bbox is ..., not ...`, or `annotations[3] has no bbox`."""
        entries: dict[str, Sequence[Mapping[str, Any]]] = {each: getattr(self, each) for each in COCO_LISTS}
        if key not in entries[what][number]:
            return DataError(f"{self.path}: {what}[{number}] has no {key}: it is {wanted}")
        return DataError(f"{self.path}, {what}[{number}]: {key} is {wanted}, not {reprlib.repr(value)}")


def coco_files(root: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The files in a folder and right below it that are COCO's: those with boxes alone, and those with keypoints."""
    boxes: list[Path] = []
    points: list[Path] = []
    for path in files_near(root, ".json"):
        if is_coco(path):
            (points if _has(path, b'"keypoints"') else boxes).append(path)
    return tuple(boxes), tuple(points)


def is_coco(path: Path) -> bool:
    """Whether a file has the lists that boxes or keypoints need."""
    found = named_lists(path)
    return {"images", "annotations"} <= set(found) and (
        "categories" in found or _has(path, b'"bbox"')  # captions have neither
    )


def named_lists(path: Path) -> tuple[str, ...]:
    """Those of `COCO_LISTS` whose names stand in a file."""
    return tuple(each for each in COCO_LISTS if _has(path, f'"{each}"'.encode()))


def _has(path: Path, *words: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(word) >= 0 for word in words)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def read_documents(
    paths: Sequence[Path], index: PictureIndex, what: str
) -> list[tuple[CocoDocument, CocoPictures, str | None]]:
    """Each file with its pictures by `id` and the part that it is for.

    A file of which no picture is there is left alone where there are others: people keep a set's labels whole.
    Raises `DataError`.
    """
    found = []
    parts = table_parts(paths, index.root, what)
    missing: list[DataError] = []
    for path, part in zip(paths, parts, strict=True):
        document = read_coco(path)
        try:
            found.append((document, pictures_of(document, index, part), part))
        except MissingPicturesError as error:
            missing.append(error)
    if not found:
        raise missing[0]
    return found


class MissingPicturesError(DataError):
    """None of a file's pictures is there."""


def read_coco(path: Path) -> CocoDocument:
    """Raises `DataError` for what is not JSON with the three lists."""
    try:
        text = read_text(path, most=MAX_BYTES)
    except NotTextError as error:
        raise DataError(f"{path} {error}") from error
    if text.count("[") + text.count("{") > MOST_LISTS or text.count(",") > MOST_VALUES:
        raise DataError(f"{path} holds more than {MOST_VALUES:,} values: split it")
    try:
        values = json.loads(text, object_pairs_hook=_kept)
    except RecursionError:
        raise DataError(f"{path} is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    lists = []
    for key in COCO_LISTS:
        if isinstance(values, dict) and key not in values:
            raise DataError(f"{path} is not COCO's JSON: it has no `{key}`, a list of objects")
        each = values.get(key) if isinstance(values, dict) else None
        if not isinstance(each, list) or not all(isinstance(entry, dict) for entry in each):
            raise DataError(f"{path} is not COCO's JSON: {key} is a list of objects, not {reprlib.repr(each)}")
        lists.append(each)
    return CocoDocument(path, *lists)


def _kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key in _KEPT}


def pictures_of(document: CocoDocument, index: PictureIndex, part: str | None) -> CocoPictures:
    """The pictures that a file lists. Raises `DataError`, and `MissingPicturesError` where none of them is there."""
    found: CocoPictures = {}
    seen: dict[Path, int] = {}
    missing: list[NoSuchPictureError] = []
    for number, image in enumerate(document.images):
        key, name = image.get("id"), image.get("file_name")
        if not isinstance(key, int | str):
            raise document.wrong("images", number, "id", "a whole number", key)
        if not isinstance(name, str) or not name.strip():
            raise document.wrong("images", number, "file_name", "a name", name)
        if key in found:
            raise DataError(f"{document.path}, images[{number}]: id {key!r:.40} was there before")
        try:
            file = index.expected(name, f"{document.path}, images[{number}]", document.path, part)
        except NoSuchPictureError as error:
            missing.append(error)
            continue
        found[key] = CocoPicture(file, _stated(document, number)) if file is not None else None
        if file is not None and seen.setdefault(file, number) != number:
            raise DataError(f"{document.path}, images[{number}]: {name!r:.200} is images[{seen[file]}], too")
    if missing:
        count = f"{len(missing)} of {len(document.images)} are missing"
        kind = DataError if found else MissingPicturesError
        raise kind(f"{missing[0]}" + (f"; {count}" if len(document.images) > 1 else ""))
    return found


def _stated(document: CocoDocument, number: int) -> tuple[int, int] | None:
    image = document.images[number]
    sides = []
    for key in ("width", "height"):
        value = image.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
            raise document.wrong("images", number, key, "a number of pixels", value)
        sides.append(int(value))
    return (sides[0], sides[1]) if all(sides) else None


def coco_numbers(document: CocoDocument, number: int, key: str, wanted: str) -> list[float]:
    """A list of finite numbers of one annotation. Raises `DataError`."""
    values = document.annotations[number].get(key)
    if not isinstance(values, list) or not all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) <= _LARGEST for each in values
    ):
        raise document.wrong("annotations", number, key, wanted, values)
    return [float(each) for each in values]


def names_of(paths: Sequence[Path]) -> str:
    """`train.json and val.json`; with their folders where they are called alike."""
    names = [path.name for path in paths]
    alike = len(set(names)) < len(names)
    return " and ".join(f"{path.parent.name}/{path.name}" if alike else path.name for path in paths)
