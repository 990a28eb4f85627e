"""A `.keras` file opened without Keras: its config and its weights, bounded. A file is untrusted."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgevit.errors import ModelError
from edgevit.untrusted_files import (
    MAX_JSON,
    check_arrays,
    check_zip,
    folder_instead,
    lookalike,
    opened_entry,
    other_format,
)
from edgevit_runtime.json_text import NestedError, parse_json

__all__ = ["OUR_IMAGE_TEXT", "OUR_VIT", "check_whole", "opened_weights", "read_saved"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
OUR_VIT, OUR_IMAGE_TEXT = "edgevit>ViT", "edgevit>ImageText"
"""What Keras calls our models in a file."""
DAMAGED = (OSError, KeyError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What zipfile and the JSON reader raise."""


def read_saved(path: Path) -> tuple[dict[str, Any], str]:
    """A file's config, and the version of Keras that saved it. Raises `ModelError` for what is no `.keras` file."""
    if path.is_dir():
        raise ModelError(f"{path} {folder_instead(path)}")
    if not path.is_file():
        raise ModelError(f"no such model: {path}")
    if (instead := lookalike(path)) or (instead := other_format(path)):
        raise ModelError(f"{path} {instead}")
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive, ModelError)
            if archive.getinfo(CONFIG).file_size > MAX_JSON:
                raise ModelError(f"{path}: {CONFIG} in it is larger than any model's: it is damaged")
            config = parse_json(archive.read(CONFIG))
            metadata = parse_json(archive.read(METADATA)) if METADATA in archive.namelist() else {}
    except NestedError as error:
        raise ModelError(f"{path}: {CONFIG} in it is nested too deeply") from error
    except DAMAGED as error:
        raise ModelError(
            f"{path} is not a .keras model, or is cut short (make one with `edgevit train`, or `edgevit import`)"
        ) from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: {CONFIG} in it is no model's: it is damaged")
    return config, str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""


def check_whole(path: Path) -> None:
    """Reads all of a file. Raises `ModelError` where some of it is not what was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except DAMAGED as error:
        raise ModelError(f"{path} is damaged, or is cut short") from error
    if damaged is not None:
        raise ModelError(f"{path} is damaged: {damaged} in it is not what was written")


@contextmanager
def opened_weights(path: Path) -> Iterator[Any]:
    """The weights as an open `h5py.File`; None where it has none.

    Raises `ModelError` for what is no HDF5 file, lies elsewhere or unpacks to more than its size lets one expect.
    """
    import h5py

    try:
        with zipfile.ZipFile(path) as archive:
            if WEIGHTS not in archive.namelist():
                yield None
                return
            with opened_entry(path, archive, WEIGHTS) as entry:
                try:
                    file = h5py.File(entry, "r")
                    check_arrays(path, file, ModelError)
                except (OSError, RuntimeError, TypeError, ValueError) as error:
                    raise ModelError(f"{path} is damaged: its weights are no readable HDF5 file") from error
                with file:
                    yield file
    except DAMAGED as error:
        raise ModelError(f"{path} is damaged: its weights cannot be read") from error
