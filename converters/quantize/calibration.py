"""Pictures that show the quantizer what ranges the activations take."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgevit.data.folder_shapes import find_split
from edgevit.data.label_tables import SPLIT_FILE, read_split
from edgevit.data.mask_pairs import find_mask_folders
from edgevit.data.same_pictures import count_seen, digest
from edgevit.data.split_tables import split_part
from edgevit.errors import DataError, EdgeViTError, PictureError
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.preprocess.picture_folders import left_out_line, no_pictures, pictures_below
from edgevit_runtime.preprocess.pictures import load_picture
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import ResolutionLike
from edgevit_runtime.wording import counted

DEFAULT_COUNT = 64


def listed_pictures(folder: Path) -> list[Path]:
    """All that are there to calibrate with; none is opened. Raises `DataError` as `calibration_files`."""
    if table := _split_table(folder):
        return list(_of_part(table, "train"))
    if folder.is_file():
        raise DataError(f"{folder} is a file, and a folder of pictures or a training run's {SPLIT_FILE} is needed")
    if not folder.is_dir():
        raise DataError(f"no such calibration folder: {folder}")
    folder = _to_calibrate_with(folder)
    found = pictures_below(folder)
    if not found.files:
        raise DataError(str(no_pictures(folder, found.left_out, "the calibration folder")))
    return [Path(file) for file in found.files]


def calibration_files(folder: Path, count: int = DEFAULT_COUNT) -> tuple[Path, ...]:
    """`count` pictures spread evenly over all that can be read below `folder`, or all where there are fewer.

    Of a folder with train/ and val/ or the like, those in train/, and of a training run's `split.csv`, or its folder,
    those that trained: what calibrates should not judge. Masks beside pictures are no pictures.
    Raises `DataError` for a missing folder or one without pictures.
    """
    files = listed_pictures(folder)
    picks = np.unique(np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int))
    readable = tuple(files[index] for index in picks if _is_readable(files[index]))
    if not readable:
        raise DataError(f"none of the {len(picks)} pictures taken from {folder} to calibrate with can be read")
    return readable


def calibration_entry(folder: str | Path, files: Sequence[Path]) -> dict[str, Any]:
    """What the manifest says of the pictures: whence, how many, and digests, for `evaluate` to know them again."""
    digests = [digest(file) for file in files]
    if table := _split_table(Path(folder)):
        return {"folder": "/".join(table.resolve().parts[-2:]), "pictures": len(files), "digests": digests}
    given, taken = Path(folder).resolve(), _to_calibrate_with(Path(folder)).resolve()
    name = given.name if given == taken else f"{given.name}/{taken.name}"
    return {"folder": name, "pictures": len(files), "digests": digests}


def folder_notes(folder: str | Path) -> Iterator[str]:
    """What was made of a calibration folder, and what in it cannot be read here, a line each."""
    if table := _split_table(Path(folder)):
        yield f"calibrated on the pictures that trained, by {table}"
        return
    taken = _to_calibrate_with(Path(folder))
    if taken != Path(folder):
        yield f"calibrated on {taken}, which is the part of {folder} that trains"
    if line := left_out_line(pictures_below(taken).left_out):
        yield f"calibration: {taken}: {line}"


def calibration_notes(
    folder: str | Path, digests: Collection[str], model: str | Path, validation: Sequence[Path] = ()
) -> Iterator[str]:
    """What somebody who calibrated should be told of the pictures, a line each.

    validation: those that the artefact was judged on; without, those that the training of `model` held out.
    """
    yield from folder_notes(folder)
    listed = len(listed_pictures(Path(folder)))
    yield f"calibration: {len(digests)} of the {counted(listed, 'picture')} there used"
    where, instead = "--validation", "pictures that trained"
    if not validation:
        held_out = Path(model).with_suffix(".run") / SPLIT_FILE
        where, instead = (
            f"those that the training held out ({held_out})",
            f"those that trained: --calibration {held_out}",
        )
        with suppress(EdgeViTError):
            validation = _of_part(held_out, "val") if held_out.is_file() else ()
    if seen := count_seen(digests, validation):
        yield (
            f"calibrated on {counted(seen, 'picture')} of {where}: accuracy there says a little too much; calibrate on "
            f"{instead}"
        )


def _split_table(given: Path) -> Path | None:
    """The `split.csv` of a training run, which may be given by the run's folder; None for other folders."""
    table = given if given.name == SPLIT_FILE else given / SPLIT_FILE
    return table if table.is_file() else None


def _of_part(table: Path, part: Literal["train", "val"]) -> tuple[Path, ...]:
    """Of a classifier's run or of another one."""
    found = split_part(table, part)
    return read_split(table, (), part=part).files if found is None else found


def _to_calibrate_with(folder: Path) -> Path:
    taken = _part_that_trains(folder)
    masked = find_mask_folders(taken)
    return _part_that_trains(masked[0][0]) if masked else taken


def _part_that_trains(folder: Path) -> Path:
    split = find_split(folder)
    return folder if split is None else split.part("train")


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
