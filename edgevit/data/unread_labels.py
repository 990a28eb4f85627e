"""Why what looks like labels is none that is read: which file it is, and what it lacks."""

from __future__ import annotations

from pathlib import Path

from edgevit.data.coco_json import COCO_LISTS, is_coco, named_lists
from edgevit.data.csv_boxes import has_boxes
from edgevit.data.csv_points import has_points
from edgevit.data.label_tables import CLASS_HEADERS, LABELS_FILE, SPLIT_FILE
from edgevit.data.mask_pairs import unread_masks
from edgevit.data.named_table import read_header
from edgevit.data.picture_index import files_near

__all__ = ["why_unread"]

_WANTED = "file,xmin,ymin,xmax,ymax,class for boxes, or file,<point>_x,<point>_y,... or file,point,x,y for points"


def why_unread(path: Path) -> str:
    """Of a file, or of the first in a folder that nothing reads; empty where there is none."""
    if path.is_dir() and (masks := unread_masks(path)):
        return masks
    files = [path] if path.is_file() else files_near(path, ".csv", ".json")
    return next((reason for each in files if (reason := _reason(each))), "")


def _reason(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return _of_json(path)
    return _of_csv(path) if path.suffix.lower() == ".csv" else ""


def _of_csv(path: Path) -> str:
    header = read_header(path)
    if has_boxes(header) or has_points(header) or path.name == SPLIT_FILE:
        return ""
    if path.name == LABELS_FILE and header in CLASS_HEADERS:
        return ""
    return f"{path}, line 1: {','.join(header)!r:.100} is no header that is read; wanted is {_WANTED}"


def _of_json(path: Path) -> str:
    if is_coco(path):
        return ""
    there = named_lists(path)
    lacking = [f"`{each}`" for each in COCO_LISTS if each not in there]
    return f"{path} is not COCO's JSON: it has no {' and no '.join(lacking)}"
