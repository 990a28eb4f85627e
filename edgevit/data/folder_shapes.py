"""What a folder of pictures is: class folders, parts of a split such as train/ and val/, or another level."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import PictureFiles, is_leftover, pictures_below
from edgevit_runtime.preprocess.picture_kinds import PICTURE_KINDS, kind_of

__all__ = [
    "FolderSplit",
    "check_utf8",
    "find_split",
    "folders_in",
    "loose_pictures",
    "other_level",
    "part_named",
    "same_folders_below",
]

PARTS = {
    # What folders of a part are called, in any case, with _set, _data or a year (COCO: train2017) behind it or not.
    "train": ("train", "training"),  # ImageNet; Kaggle
    "val": ("val", "valid", "validation", "dev", "eval"),  # ImageNet; Roboflow; Keras
    "test": ("test", "testing"),
}
_NAMES = {name: part for part, names in PARTS.items() for name in names}
_ENDING = re.compile(r"[ _-]?(?:set|data|images|imgs|(?:19|20)\d\d)$")


@dataclass(frozen=True)
class FolderSplit:
    """A folder that holds its parts, each a folder of class folders or with labels.csv."""

    root: Path
    parts: dict[str, Path]

    def __str__(self) -> str:
        """`photos has Train/, valid/ and test/`."""
        *first, last = [f"{path.name}/" for path in self.parts.values()]
        return f"{self.root} has {', '.join(first)} and {last}"

    def part(self, wanted: str) -> Path:
        """The part that is wanted, or the nearest to it that there is."""
        order = {"train": ("train", "val", "test"), "val": ("val", "test", "train"), "test": ("test", "val", "train")}
        return next(self.parts[each] for each in order[wanted] if each in self.parts)


def folders_in(root: Path) -> list[Path]:
    """The folders in it, sorted, without what systems and programs leave. Raises `DataError` for an unreadable one."""
    return sorted(each for each in _inside(root) if os.path.isdir(each))


def loose_pictures(root: Path) -> int:
    """How many pictures lie in the folder itself. Raises `DataError` for an unreadable one."""
    return sum(kind_of(each) in PICTURE_KINDS and os.path.isfile(each) for each in _inside(root))


def _inside(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if not is_leftover(each.name)]
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error


def find_split(root: Path, labels: Sequence[str] = ()) -> FolderSplit | None:
    """The parts that a folder holds; None for class folders. labels: what the classes are called, where that is known.

    Raises `DataError` for a split that can be read in two ways.
    """
    folders = folders_in(root)
    if {each.name for each in folders} <= set(labels):
        return None
    found: dict[str, list[Path]] = {}
    for folder in folders:
        part = part_named(folder.name)
        if part is not None and _holds_pictures(folder):
            found.setdefault(part, []).append(folder)
    if len(found) < 2:
        return None
    for part, several in found.items():
        if len(several) > 1:
            names = " and ".join(f"{each.name}/" for each in several)
            raise DataError(f"{root} has {names}, each of which may be what is meant by {part}: keep one of them there")
    split = FolderSplit(root, {part: found[part][0] for part in PARTS if part in found})
    beside = [each for each in folders if part_named(each.name) is None and _holds_pictures(each)]
    if beside:
        names = ", ".join(f"{each.name}/" for each in beside[:3]) + (", …" if len(beside) > 3 else "")
        raise DataError(
            f"{split}, as a split has, and beside them pictures in {names}: move these away, or, if all are classes, "
            "say so by a labels.csv with the columns file,label"
        )
    return split


def part_named(name: str) -> str | None:
    """The part, a key of `PARTS`, that a folder or a file without its ending is called after; None for no such name."""
    lower = name.lower()
    return _NAMES.get(lower) or _NAMES.get(_ENDING.sub("", lower))


def _holds_pictures(folder: Path) -> bool:
    found = pictures_below(folder)
    return bool(found.files or found.left_out)


def other_level(root: Path, pictures: dict[Path, PictureFiles]) -> Path | None:
    """The folder that holds the class folders, where `root` seems to be another level; None where it does not.

    pictures: the folders in `root`, and what each holds.
    """
    holding = [folder for folder, found in pictures.items() if found.files]
    if not holding:  # a class's own folder: the others lie beside it
        above = Path(os.path.abspath(root)).parent
        beside = [each for each in folders_in(above) if each.name != root.name]
        if loose_pictures(root) and any(loose_pictures(each) for each in beside):
            return root.parent if root.parent != root else above
        return None
    if len(holding) > 1 or loose_pictures(holding[0]):
        return None
    (inner,) = holding
    below = [each for each in folders_in(inner) if _holds_pictures(each)]
    if len(below) == 1 and not loose_pictures(below[0]):  # deeper yet
        return other_level(inner, {below[0]: pictures_below(below[0])}) or inner
    return inner if below else None


def same_folders_below(folders: Sequence[Path]) -> str:
    """`daisy/ and roses/` where several folders hold nothing but folders of those same names; otherwise empty."""
    if len(folders) < 2 or any(loose_pictures(each) for each in folders):
        return ""
    inside = [tuple(each.name for each in folders_in(folder)) for folder in folders]
    if len(set(inside)) > 1 or len(inside[0]) < 2:
        return ""
    *first, last = [f"{name}/" for name in inside[0]]
    return f"{', '.join(first)} and {last}"


def check_utf8(paths: Iterable[Path]) -> None:
    """Raises `DataError` for a path that no label and no `split.csv` could hold."""
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            raise DataError(f"the name {shown} is not UTF-8: rename it") from error
