"""Where labels of dense tasks are read from: a folder, or one file of labels and the pictures around it."""

from __future__ import annotations

from pathlib import Path

from edgevit.data.picture_index import PictureIndex, picture_index
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_folders import left_out_line

__all__ = ["label_source"]


def label_source(path: Path) -> PictureIndex:
    """The pictures of a folder; of a file those beside it, or else of the folder above (`annotations/train.json`).

    Raises `DataError` where there are none.
    """
    if not path.exists():
        raise DataError(f"no such folder or file: {path}")
    index = picture_index(path if path.is_dir() else path.parent)
    if not index.files and path.is_file():
        index = picture_index(path.parent.parent)
    if not index.files:
        left_out = left_out_line(dict(index.left_out))
        raise DataError(f"{index.root} holds no pictures" + (f"; {left_out}" if left_out else ""))
    return index
