"""Which of the formats of boxes a folder has: found by what its files hold, never guessed between two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.data.coco_boxes import find_coco_boxes, read_coco_boxes
from edgevit.data.csv_boxes import find_csv_boxes, read_csv_boxes
from edgevit.data.data_yaml import read_data_yaml
from edgevit.data.found_boxes import FoundBoxes
from edgevit.data.label_source import label_source
from edgevit.data.picture_index import PictureIndex, picture_index
from edgevit.data.unread_labels import why_unread
from edgevit.data.voc_boxes import find_voc_boxes, read_voc_boxes
from edgevit.data.yolo_boxes import find_yolo_boxes, read_yolo_boxes
from edgevit.errors import DataError
from edgevit_runtime.wording import counted

__all__ = ["BOX_FORMATS", "BoxFormat", "find_boxes", "read_found_boxes"]


@dataclass(frozen=True)
class BoxFormat:
    """One way to write boxes down."""

    suffixes: tuple[str, ...]
    """Of the file that may be named in the place of a folder."""
    find: Callable[[PictureIndex], tuple[Path, ...]]
    """The files that are of it; nothing where there are none."""
    read: Callable[[Sequence[Path], PictureIndex], FoundBoxes]


BOX_FORMATS = {
    "COCO": BoxFormat((".json",), find_coco_boxes, read_coco_boxes),  # https://cocodataset.org/#format-data
    "YOLO": BoxFormat(
        (".yaml", ".yml"), find_yolo_boxes, read_yolo_boxes
    ),  # https://docs.ultralytics.com/datasets/detect
    "Pascal VOC": BoxFormat((), find_voc_boxes, read_voc_boxes),  # http://host.robots.ox.ac.uk/pascal/VOC
    "CSV": BoxFormat((".csv",), find_csv_boxes, read_csv_boxes),  # ours; Roboflow's and TensorFlow's are read, too
}


def find_boxes(index: PictureIndex) -> dict[str, tuple[Path, ...]]:
    """Format -> the files of it in a folder."""
    found = {name: each.find(index) for name, each in BOX_FORMATS.items()}
    return {name: files for name, files in found.items() if files}


def read_found_boxes(path: Path) -> tuple[FoundBoxes, PictureIndex]:
    """What a folder's label files say, or those of a file that is named itself; and the pictures there.

    Raises `DataError` for none, or for files of several formats.
    """
    if path.is_file():
        name = next((name for name, each in BOX_FORMATS.items() if path.suffix.lower() in each.suffixes), None)
        if name is None:
            known = ", ".join(suffix for each in BOX_FORMATS.values() for suffix in each.suffixes)
            raise DataError(f"{path} is no file of boxes by its name ({known}): name it, or the folder of the pictures")
        index = label_source(_moved(path))
        return BOX_FORMATS[name].read([path], index), index
    index = label_source(path)
    found = find_boxes(index)
    if not found:
        formats = (
            "COCO's JSON, YOLO's data.yaml and labels/, Pascal VOC's XML, or a CSV file that begins with the line "
        )
        formats += "file,xmin,ymin,xmax,ymax,class"
        held = f"{path} has {counted(len(index.files), 'picture')} and no boxes in a format that is read"
        raise DataError(f"{held}: {why_unread(path) or formats}")
    if len(found) > 1:
        named = "; ".join(f"{name}: {files[0].relative_to(path)}" for name, files in found.items())
        raise DataError(
            f"{path} has boxes in several formats ({named}): name the file that is meant, or keep one of them"
        )
    ((name, files),) = found.items()
    return BOX_FORMATS[name].read(files, index), index


def _moved(path: Path) -> Path:
    """The file, or the folder that a data.yaml says its pictures lie in, where that is there."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        return path
    said = read_data_yaml(path).values.get("path")
    folder = path.parent / said if isinstance(said, str) and said else path.parent
    return folder if folder.is_dir() and picture_index(folder).files else path
