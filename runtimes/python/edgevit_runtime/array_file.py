"""Arrays by name in an .npz file, written whole or not at all, and read as a file that anybody may have made."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgevit_runtime.atomic_write import not_written, replacing
from edgevit_runtime.errors import EdgeViTError

Array = np.ndarray[Any, Any]
MOST_ARRAYS = 64
UNREADABLE = (
    OSError, ValueError, TypeError, SyntaxError, zipfile.BadZipFile, zlib.error, EOFError, MemoryError, OverflowError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
"""What zipfile and NumPy raise for damaged files. The host reads checkpoints by it, too."""


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Whole or not at all. Raises `EdgeViTError` where it cannot be written."""
    try:
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise not_written(path, error) from error


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Raises `EdgeViTError` for what is no such file, or a damaged one.

    Nothing in it is run, and it takes no more memory than it has bytes.
    """
    name = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ARRAYS:
                raise EdgeViTError(f"{name} holds {len(entries)} arrays; at most {MOST_ARRAYS} are read")
            for entry in entries:
                _check(archive, entry)
        with np.load(path, allow_pickle=False) as arrays:
            return {each: arrays[each] for each in arrays.files}
    except FileNotFoundError:
        raise EdgeViTError(f"no such file: {name}") from None
    except UNREADABLE as error:
        raise EdgeViTError(f"{name} is not a readable .npz file: {error}") from error


def _check(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raises `ValueError` for an array whose header asks for more than the file has: NumPy makes room first."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed, as no file of ours is")
    shape, dtype = header_of(archive, entry)
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} is a pickle, which is not opened")
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise ValueError(f"{entry.filename} says shape {list(shape)}, for which it is too short")


def header_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array, without its numbers. Raises one of `UNREADABLE`."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return shape, dtype
