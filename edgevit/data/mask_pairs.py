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

__all__ = ["MASK_FOLDERS", "MaskPairs", "find_mask_folders", "mask_pairs"]

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
    parts = [folder for folder in folders_in(root) if part_named(folder.name)]
    return [found for folder in parts if (found := _side_by_side(folder)) is not None]


def _side_by_side(folder: Path) -> tuple[Path, Path] | None:
    inside = folders_in(folder)
    masks = [each for each in inside if each.name.lower() in MASK_FOLDERS and files_below(each, ".png")]
    images = [each for each in inside if each.name.lower() in IMAGE_FOLDERS and pictures_below(each).files]
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
        raise DataError(
            f"{root} has no pictures with masks: they lie in two folders side by side, {', '.join(IMAGE_FOLDERS)} and "
            f"{', '.join(MASK_FOLDERS)}, as PNG files of the pictures' names"
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
        first = next(file for file in files if file not in found)
        said.append(
            f"{images}: {counted(len(files) - len(found), 'picture')} without a mask, such as {first.name}: left alone"
        )
    alone = [mask for mask in masks.values() if mask not in owner]
    if alone:
        said.append(f"{folder}: {counted(len(alone), 'mask')} without a picture, such as {alone[0].name}: left alone")
    return found, said


def _name(file: Path, folder: Path) -> str:
    return composed(file.relative_to(folder).with_suffix("").as_posix())
