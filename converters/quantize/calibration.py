"""Pictures that show the quantizer what ranges the activations take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import DataError, PictureError
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.preprocess.picture_folders import no_pictures, pictures_below
from edgevit_runtime.preprocess.pictures import load_picture
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import ResolutionLike

DEFAULT_COUNT = 64


def calibration_files(folder: Path, count: int = DEFAULT_COUNT) -> tuple[Path, ...]:
    """`count` pictures spread evenly over all that can be read below `folder`, or all where there are fewer.

    Raises `DataError` for a missing folder or one without pictures.
    """
    if not folder.is_dir():
        raise DataError(f"no such calibration folder: {folder}")
    files = [Path(file) for file in pictures_below(folder).files]
    if not files:
        raise DataError(f"the calibration {no_pictures(folder, pictures_below(folder).left_out)}")
    picks = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    readable = tuple(files[index] for index in picks if _is_readable(files[index]))
    if not readable:
        raise DataError(f"none of the {len(picks)} pictures taken from {folder} to calibrate with can be read")
    return readable


def _is_readable(file: Path) -> bool:
    try:
        load_picture(file)
    except PictureError:
        return False
    return True


def calibration_images(
    files: Sequence[Path], resolution: ResolutionLike, policy: str, fill: Sequence[int] = DEFAULT_FILL
) -> Iterator[NDArray[Any]]:
    """The pictures as the artefact will see them: uint8 [1, H, W, 3] each."""
    for file in files:
        yield prepare(file, resolution, policy, fill=fill)[None]
