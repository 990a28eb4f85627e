"""The pictures below a folder, found by what label files call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from edgevit.data.class_names import composed
from edgevit.data.folder_shapes import folders_in, part_named
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import is_leftover, pictures_below
from edgevit_runtime.preprocess.picture_kinds import can_read, kind_of

__all__ = ["IMAGE_FOLDERS", "NoSuchPictureError", "PictureIndex", "files_near", "picture_index"]

IMAGE_FOLDERS = {
    # Lower case: what folders of pictures that have labels beside them are called, and by whom.
    "images": "YOLO, Roboflow, most",
    "jpegimages": "Pascal VOC",
    "image": "Kaggle",
    "imgs": "Kaggle",
    "img": "Supervisely",
}


class NoSuchPictureError(DataError):
    """A label file names a picture that is not there."""


@dataclass(frozen=True)
class PictureIndex:
    """Picture files below `root`: where one or more of its folders are called `images`, what lies in those."""

    root: Path
    files: tuple[Path, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in self.files:
            found.setdefault(composed(file.name), []).append(file)
        return found

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in self.files:
            found.setdefault(composed(file.stem), []).append(file)
        return found

    @cached_property
    def _by_any_case(self) -> dict[str, str]:
        return {name.casefold(): name for name in self._by_name}

    def find(self, name: str, beside: Path | None = None, part: str | None = None) -> Path | None:
        """The picture of a name, which may have folders in front, here or where it was written; None for none.

        beside: the file that names it; part: the part that it belongs to: both tell pictures of one name apart.
        Raises `DataError` for a name that several pictures have.
        """
        words = _words(name)
        if not words:
            return None
        found = [file for file in self._by_name.get(words[-1], ()) if self._agrees(words, file)]
        exact = [file for file in found if [composed(each) for each in file.relative_to(self.root).parts] == words]
        return self._one_of(exact or found, name, beside, part)

    def of_stem(self, file: Path, part: str | None = None) -> Path | None:
        """The picture that a label file is called after; None for none. Raises `DataError` where several are."""
        return self._one_of(self._by_stem.get(composed(file.stem), []), file.name, file, part)

    def expected(self, name: str, where: str, beside: Path | None = None, part: str | None = None) -> Path | None:
        """As `find`; None only for a picture of a kind that cannot be read, which `left_out` counts.

        Raises, with `where` in front, `NoSuchPictureError`, and `DataError` for a name that several have.
        """
        try:
            found = self.find(name, beside, part)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        kind = kind_of(name)
        if found is None and (kind is None or can_read(kind)):
            last = (_words(name) or [""])[-1]
            other = self._by_any_case.get(last.casefold())
            raise NoSuchPictureError(
                f"{where}: no such picture in {self.root}: {name!r:.200}" + (f" ({other} is there)" if other else "")
            )
        return found

    def _agrees(self, words: list[str], file: Path) -> bool:
        """Whether one of the two paths ends with the other, apart from a folder `images` in front."""
        path = [composed(each) for each in file.relative_to(self.root).parts]
        same = 0
        for one, other in zip(reversed(words), reversed(path), strict=False):
            if one != other:
                break
            same += 1
        return same in (len(words), len(path)) or (same == len(path) - 1 and path[0].lower() in IMAGE_FOLDERS)

    def _one_of(self, found: Iterable[Path], name: str, beside: Path | None, part: str | None) -> Path | None:
        several = list(found)
        if len(several) > 1 and beside is not None and beside.parent != self.root:
            several = [each for each in several if beside.parent in each.parents] or several
        if len(several) > 1:
            part = part or (self.part_of(beside) if beside is not None else None)
            several = [each for each in several if part and self.part_of(each) == part] or several
        if len(several) > 1:
            first, second, *_ = several
            raise DataError(f"{name!r:.200} may be {first} or {second}: name it with its folder, or keep one of them")
        return several[0] if several else None

    def part_of(self, file: Path) -> str | None:
        """`train`, `val` or `test`, as the innermost such folder that it lies in below the root; None for none."""
        if self.root not in file.parents:
            return None
        folders = file.relative_to(self.root).parts[:-1]
        return next((part for name in reversed(folders) if (part := part_named(name))), None)


def picture_index(root: Path) -> PictureIndex:
    """Of a folder. Raises `PictureError` where one of the folders below it cannot be read."""
    found = pictures_below(root)
    files = tuple(map(Path, found.files))
    inside = tuple(file for file in files if _in_image_folder(file.relative_to(root)))
    return PictureIndex(root, inside or files, found.left_out)


def files_near(root: Path, *suffixes: str) -> list[Path]:
    """The files whose names end so (lower case) in a folder and right below it, in order, without leftovers."""
    found = []
    for folder in (root, *folders_in(root)):
        inside = (each for each in sorted(folder.iterdir()) if each.suffix.lower() in suffixes)
        found += [each for each in inside if not is_leftover(each.name) and each.is_file()]
    return found


def _in_image_folder(path: Path) -> bool:
    return any(each.lower() in IMAGE_FOLDERS for each in path.parts[:-1])


def _words(name: str) -> list[str]:
    """The folders and the name, also of a path of Windows; a drive, and folders above, say nothing here."""
    words = [each for each in re.split(r"[/\\]", composed(name.strip())) if each not in ("", ".")]
    while words and (words[0] == ".." or re.fullmatch(r"[A-Za-z]:", words[0])):
        words = words[1:]
    return [] if ".." in words else words
