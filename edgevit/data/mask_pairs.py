"""Which mask belongs to which picture: folders `images` and `masks` side by side, and files of one name in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.class_names import composed
from edgevit.data.folder_shapes import folders_in, part_named
from edgevit.data.picture_index import IMAGE_FOLDERS, PictureIndex
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import files_below, pictures_below
from edgevit_runtime.wording import counted

__all__ = ["MASK_FOLDERS", "MaskPairs", "find_mask_folders", "mask_pairs", "unread_masks"]

MASK_FOLDERS = {
    # Lower case: what folders of masks are called, and by whom.
    "masks": "most",
    "mask": "Kaggle",
    "segmentationclass": "Pascal VOC, CVAT",
    "labels": "CamVid",
}
ENDINGS = ("", "_mask", "_L")
"""What masks have behind their picture's name: nothing, Carvana's and CamVid's."""


@dataclass(frozen=True)
class MaskPairs:
    """Pictures and their masks, in one order."""

    index: PictureIndex
    masks: tuple[Path, ...]
    assumed: tuple[str, ...]


def find_mask_folders(root: Path) -> list[tuple[Path, Path]]:
    """(pictures, masks): the folders in `root`, or else in those of its parts. Raises `DataError` for several such."""
    here = _side_by_side(root)
    if here is not None:
        return [here]
    return [found for folder in _part_folders(root) if (found := _side_by_side(folder)) is not None]


def unread_masks(root: Path) -> str:
    """Why a folder of masks beside one of pictures is none that is read; empty where there is no such."""
    for folder in (root, *_part_folders(root)):
        images, masks = _named(folder)
        for each in masks if images else ():
            wrong = next(iter(pictures_below(each).files), None)
            if wrong is not None and not files_below(each, ".png"):
                return f"{wrong}: masks are PNG files (JPEG changes their values): save them so, from what they were"
    return ""


def _part_folders(root: Path) -> list[Path]:
    return [folder for folder in folders_in(root) if part_named(folder.name)]


def _named(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders in it that are called as folders of pictures are and hold some, and as those of masks are."""
    inside = folders_in(folder)
    images = [each for each in inside if each.name.lower() in IMAGE_FOLDERS and pictures_below(each).files]
    return images, [each for each in inside if each.name.lower() in MASK_FOLDERS]


def _side_by_side(folder: Path) -> tuple[Path, Path] | None:
    images, named = _named(folder)
    masks = [each for each in named if files_below(each, ".png")]
    if not masks or not images:
        return None
    for several in (masks, images):
        if len(several) > 1:
            names = " and ".join(f"{each.name}/" for each in several)
            raise DataError(f"{folder} has {names}: keep the one that is meant")
    return images[0], masks[0]


def mask_pairs(root: Path) -> MaskPairs:
    """The pictures of a folder that have masks. Raises `DataError` where there are none, or two claim one."""
    folders = find_mask_folders(root)
    if not folders:
        lie = f"{', '.join(IMAGE_FOLDERS)} and {', '.join(MASK_FOLDERS)}"
        raise DataError(
            unread_masks(root)
            or f"{root} has no pictures with masks: they lie in two folders side by side, {lie}, as PNG files of "
            "the pictures' names"
        )
    files: list[Path] = []
    masks: list[Path] = []
    assumed: list[str] = []
    left_out: dict[str, int] = {}
    for images, beside in folders:
        found = pictures_below(images)
        for kind, number in found.left_out.items():
            left_out[kind] = left_out.get(kind, 0) + number
        paired, said = _paired([Path(file) for file in found.files], images, beside)
        files += paired
        masks += paired.values()
        assumed += said
    if not files:
        raise DataError(f"{folders[0][1]} has no mask of the name of a picture in {folders[0][0]}")
    return MaskPairs(PictureIndex(root, tuple(files), left_out), tuple(masks), tuple(assumed))


def _paired(files: Sequence[Path], images: Path, folder: Path) -> tuple[dict[Path, Path], list[str]]:
    """Picture -> mask, and what is to be said of those that have no counterpart."""
    masks = {_name(Path(path), folder): Path(path) for path in files_below(folder, ".png")}
    found: dict[Path, Path] = {}
    owner: dict[Path, Path] = {}
    for file in files:
        name = _name(file, images)
        mask = next((masks[name + ending] for ending in ENDINGS if name + ending in masks), None)
        if mask is None:
            continue
        if owner.setdefault(mask, file) != file:
            raise DataError(f"{file} and {owner[mask]} both have the mask {mask}: keep one of them")
        found[file] = mask
    said = []
    if len(found) < len(files):
        bare = [file for file in files if file not in found]
        others = {_name(Path(path), folder): Path(path) for path in pictures_below(folder).files}
        names = [_name(file, images) + ending for file in bare for ending in ENDINGS]
        unread = next((others[name] for name in names if name in others), None)
        no_png = f"; masks are PNG files, and {unread} is none" if unread else ""
        said.append(
            f"{images}: {counted(len(bare), 'picture')} without a mask, such as {bare[0].name}: left alone{no_png}"
        )
    alone = [mask for mask in masks.values() if mask not in owner]
    if alone:
        said.append(f"{folder}: {counted(len(alone), 'mask')} without a picture, such as {alone[0].name}: left alone")
    return found, said


def _name(file: Path, folder: Path) -> str:
    return composed(file.relative_to(folder).with_suffix("").as_posix())
