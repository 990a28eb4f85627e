"""Model files as people have them: what lies in a file's place, and how much one may unpack to."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edgevit.errors import EdgeViTError, ModelError

__all__ = [
    "MAX_JSON",
    "check_arrays",
    "check_unpacked",
    "check_zip",
    "folder_instead",
    "is_keras",
    "lookalike",
    "neither",
    "opened_entry",
    "other_format",
]

MAX_JSON = 64 * 2**20
"""Bytes of a JSON document beside or in a model; those of the largest models have less than one of 64."""
MAX_GROWTH = 20
"""How many times its size on the disk a file may unpack to: trained weights hardly shrink, zeros do 1000 times."""
FREE = 256 * 2**20
"""What any file may unpack to, whatever its size."""
MAX_ENTRIES = 100_000


def is_keras(path: Path) -> bool:
    """Whether it is Keras that has to say what is wrong with it, if anything is."""
    return path.suffix in (".keras", ".h5") or path.is_dir()


def neither(path: Path) -> ModelError:
    """What to raise for a file that nothing can be asked about pictures."""
    return ModelError(f"{path} is neither a .keras model nor a .tflite artefact")


def lookalike(path: Path) -> str | None:
    """What lies in the place of a model file, with what to do about it; None where nothing is known to be wrong."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return "is an empty file: download or save it again"
    text = start.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, the place of the file and not the file: fetch it with `git lfs pull`"
    if text.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a web page, not the file itself: download it again, from the link that says raw or download"
    if start[:1] in (b"{", b"[") and path.suffix != ".json":
        return "is a JSON text: an error message of a server, most likely; download the file again"
    return None


def folder_instead(path: Path) -> str:
    """What a folder in the place of a model file is, with what to do about it."""
    if (path / "saved_model.pb").is_file():
        return (
            "is a TensorFlow SavedModel, a graph without the layers that edgevit needs: save the model again where it "
            "was made, with model.save('model.keras')"
        )
    if any((path / name).is_file() for name in ("config.json", "model.safetensors")):
        return f"is a folder with a checkpoint: `edgevit import {path} -o model.keras` makes a model of it"
    return "is a folder; a model is a .keras file"


def other_format(path: Path) -> str | None:
    """What a file of another format is, by its first bytes and what is in it."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        import h5py

        try:
            with h5py.File(path, "r") as opened:
                whole = "model_config" in opened.attrs
        except (OSError, RuntimeError):
            return "is a damaged HDF5 file"
        if whole:
            return (
                "is a model in Keras's old format: python -c \"import keras; keras.saving.load_model("
                f"'{path.name}', compile=False).save('{path.stem}.keras')\" makes a .keras file of it"
            )
        return (
            "holds weights alone, without the model: build the model as it was, model.load_weights"
            f"('{path.name}'), and model.save('model.keras')"
        )
    if start[4:8] == b"TFL3":
        return "is not a .keras model but a .tflite file: it is converted already"
    if start[8:9] == b"{" or start[:1] == b"\x80" or path.suffix in (".safetensors", ".npz", ".pth", ".pt", ".bin"):
        return f"is a checkpoint, not a .keras model: `edgevit import {path} -o model.keras` makes one of it"
    return None


def check_unpacked(path: Path, unpacked: int, error: type[EdgeViTError]) -> None:
    """Raises `error` where a file unpacks to more bytes than its size lets one expect."""
    packed = path.stat().st_size
    if unpacked > FREE + MAX_GROWTH * packed:
        raise error(
            f"{path} has {_bytes(packed)} and would unpack to {_bytes(unpacked)}, which no trained weights "
            "do: it is damaged"
        )


def check_zip(path: Path, archive: zipfile.ZipFile, error: type[EdgeViTError]) -> None:
    """The same for all that a zip file says it holds. What it does not say is not unpacked."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise error(f"{path} is a zip file of {len(entries)} entries, at most {MAX_ENTRIES} are read: it is damaged")
    check_unpacked(path, sum(entry.file_size for entry in entries), error)


def check_arrays(path: Path, file: Any, error: type[EdgeViTError]) -> None:
    """The same for the arrays of an open HDF5 file; and none of them may lie in another file."""
    import h5py

    sizes: list[int] = []

    def visit(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            if entry.external or entry.is_virtual:
                raise error(f"{path}: the numbers of {name} lie in another file, which is not read")
            sizes.append(entry.size * entry.dtype.itemsize if entry.size else 0)

    file.visititems(visit)
    check_unpacked(path, sum(sizes), error)


class _Part(io.RawIOBase):
    """Some bytes of a file as a file: a part of a zip that is not compressed, read in place."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file, self._start, self._size, self._place = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._size - self._place))
        self._file.seek(self._start + self._place)
        content = self._file.read(count)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


@contextmanager
def opened_entry(path: Path, archive: zipfile.ZipFile, name: str) -> Iterator[Any]:
    """An entry of a zip as a file that can be read from anywhere."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        yield io.BytesIO(archive.read(name))
        return
    with path.open("rb") as file:
        file.seek(entry.header_offset + 26)  # the lengths of its name and of what follows that
        lengths = file.read(4)
        start = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
        yield _Part(file, start, entry.file_size)


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
