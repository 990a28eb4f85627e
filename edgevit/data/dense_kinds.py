"""What a folder of labelled pictures is for: classes, masks, boxes or points, told by what lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgevit.data.box_formats import find_boxes
from edgevit.data.class_names import composed
from edgevit.data.csv_boxes import has_boxes
from edgevit.data.csv_points import has_points
from edgevit.data.data_yaml import read_data_yaml
from edgevit.data.folder_shapes import find_split, folders_in
from edgevit.data.label_source import label_source
from edgevit.data.label_tables import LABELS_FILE
from edgevit.data.mask_classes import find_mask_classes, read_mask_classes
from edgevit.data.mask_pairs import MASK_FOLDERS, find_mask_folders
from edgevit.data.named_table import read_header
from edgevit.data.picture_index import IMAGE_FOLDERS, PictureIndex
from edgevit.data.points import find_points
from edgevit.data.unread_labels import why_unread
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import pictures_below

__all__ = ["DataKind", "data_kind", "data_kinds", "lists_classes"]

LABEL_FOLDERS = {*MASK_FOLDERS, "annotations", "annotation", "annots", "segmentationobject", "boxes", "keypoints"}
"""Lower case: what folders of labels are called, and no class."""


@dataclass(frozen=True)
class DataKind:
    """What pictures are labelled for: a task, and why."""

    task: str
    """`classify`, `segment`, `detect` or `keypoints`."""
    found: str
    """What says so: `COCO: annotations/instances.json`."""
    also: tuple[str, ...] = ()
    """Tasks that can be asked for besides: files of keypoints have boxes, too."""


def data_kinds(path: str | Path) -> tuple[DataKind, ...]:
    """All that a folder, or a file of labels, is labelled for; nothing for pictures without labels.

    Class folders count only where nothing else is found: a folder `images` would be one. Raises `DataError`.
    """
    path = Path(path)
    index = label_source(path)
    if path.is_file():
        return (_of_file(path, index),)
    kinds = []
    for images, masks in find_mask_folders(path)[:1]:
        kinds.append(DataKind("segment", f"masks: {masks.relative_to(path)}/ beside {images.name}/"))
    points = find_points(index)
    boxes = find_boxes(index)
    boxed = {file for files in boxes.values() for file in files}
    for name, files in points.items():
        kinds.append(DataKind("keypoints", _shown(name, files, path), ("detect",) if boxed & set(files) else ()))
    posed = {file for files in points.values() for file in files}
    for name, files in boxes.items():
        if not posed & set(files):
            kinds.append(DataKind("detect", _shown(name, files, path)))
    return tuple(kinds) or _classes(path)


def data_kind(path: str | Path) -> DataKind:
    """The one thing that a folder, or a file of labels, is labelled for.

    Raises `DataError` for a folder that is labelled for several, or for none, and says what was found.
    """
    kinds = data_kinds(path)
    if not kinds:
        raise DataError(
            f"{path} holds pictures without labels: neither class folders nor {LABELS_FILE}, masks, boxes or keypoints"
        )
    if len({kind.task for kind in kinds}) > 1:
        found = "; ".join(f"{kind.task}: {kind.found}" for kind in kinds)
        raise DataError(f"{path} is labelled for several tasks ({found}): say which of them is meant")
    return kinds[0]


def lists_classes(folder: Path) -> bool:
    """Whether its labels.csv says what each picture is, or should: it is no table of boxes or points."""
    header = read_header(folder / LABELS_FILE)
    return (folder / LABELS_FILE).is_file() and not has_boxes(header) and not has_points(header)


def _shown(name: str, files: tuple[Path, ...], path: Path) -> str:
    return f"{name}: {files[0].relative_to(path)}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _of_file(path: Path, index: PictureIndex) -> DataKind:
    if any(path in files for files in find_points(index).values()):
        return DataKind("keypoints", path.name)
    if any(path in files for files in find_boxes(index).values()):
        posed = path.suffix.lower() in (".yaml", ".yml") and "kpt_shape" in read_data_yaml(path).values
        return DataKind("detect", path.name + (" (its keypoints are not read)" if posed else ""))
    why = why_unread(path)
    raise DataError(f"{path} is no file of labels that is read" + (f": {why}" if why else ""))


def _classes(path: Path) -> tuple[DataKind, ...]:
    if lists_classes(path):
        return (DataKind("classify", LABELS_FILE),)
    split = find_split(path)
    if split is not None:
        return _classes(split.part("train"))
    folders = [folder for folder in folders_in(path) if pictures_below(folder).files]
    if len(folders) < 2 and (why := why_unread(path)):
        raise DataError(why)
    if len(folders) == 1 and folders[0].name.lower() in IMAGE_FOLDERS:
        return ()
    _check_named_as_classes(path, folders)
    named = ", ".join(f"{folder.name}/" for folder in folders[:3]) + (", …" if len(folders) > 3 else "")
    return (DataKind("classify", f"class folders: {named}"),) if folders else ()


def _check_named_as_classes(path: Path, folders: list[Path]) -> None:
    """Raises `DataError` for folders of pictures and of labels that cannot be read, which would pass for classes."""
    pictures = [each for each in folders if each.name.lower() in IMAGE_FOLDERS]
    labels = [each for each in folders if each.name.lower() in LABEL_FOLDERS]
    if pictures and labels:
        beside = f"{labels[0].name}/ beside {pictures[0].name}/"
        why = why_unread(path) or f"no labels that are read are in {labels[0]}"
        raise DataError(f"{path} has {beside}, as labels lie beside pictures, and not classes: {why}")
    listed = find_mask_classes(path) if folders else None
    names = set(map(composed, read_mask_classes(listed).names)) if listed else set()
    if names and not names & {composed(each.name) for each in folders}:
        named = " and ".join(f"{each.name}/" for each in folders[:2])
        raise DataError(
            f"{path} has {named}, and {listed} names neither as a class: pictures and masks lie in images/ and masks/; "
            f"if the folders are the classes, take {listed.name if listed else ''} away"
        )
