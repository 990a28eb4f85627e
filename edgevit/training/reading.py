"""The pictures of a dense task are read once, made no larger than training needs, and kept in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevit.errors import DataError, PictureError

T = TypeVar("T")

WORKERS = 2


def read_each(
    files: Sequence[Path], read: Callable[[int], T], *, strict: bool
) -> tuple[list[int], list[T], dict[Path, PictureError]]:
    """What `read` gives for each file's index, without the unreadable: which they are, what was read, and the others.

    Raises `DataError` where none can be read, and with `strict` the `PictureError` of the first that cannot.
    """

    def one(index: int) -> T | PictureError:
        try:
            return read(index)
        except PictureError as error:
            if strict:
                raise
            return error

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(one, range(len(files))))
    skipped = {files[index]: each for index, each in enumerate(found) if isinstance(each, PictureError)}
    if len(skipped) == len(files):
        raise DataError(f"none of {len(files)} pictures can be read; the first: {next(iter(skipped.values()))}")
    kept = [index for index, each in enumerate(found) if not isinstance(each, PictureError)]
    return kept, [each for each in found if not isinstance(each, PictureError)], skipped


def shrunk(pixels: NDArray[np.uint8], most: int) -> Image.Image:
    """A picture [H, W, 3], smaller where its longer side is above `most`."""
    picture = Image.fromarray(pixels)
    share = most / max(picture.size)
    if share >= 1.0:
        return picture
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture.resize(size, Image.Resampling.BICUBIC)
