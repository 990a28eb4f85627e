"""A checkpoint as it lies on the disk: its tensors by name, and the JSON documents beside them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.documents import Record
from edgevit.errors import CheckpointError
from edgevit.text_files import NotTextError, read_text

CheckpointArrays = Mapping[str, NDArray[Any]]

WEIGHTS = ("model.safetensors", "model.weights.h5")
"""The weights that a folder is looked through for: Hugging Face's and timm's, KerasHub's."""
KERAS_HEAD = "task.weights.h5"
DOCUMENTS = ("config.json", "preprocessor_config.json", "image_converter.json", "task.json")
SAFETENSORS, NPZ, KERAS_H5 = "safetensors", "npz", "h5"


@dataclass(frozen=True)
class CheckpointFile:
    """What `read` found. Getters raise `CheckpointError`, with the place, for what no importer can go on from."""

    path: Path
    container: str
    """`safetensors`, `npz` or `h5`."""
    tensors: CheckpointArrays
    """By name; those of KerasHub's task.weights.h5 behind `task/`."""
    documents: Mapping[str, Record] = field(default_factory=dict)
    """The JSON files beside the weights, by file name."""

    def shape(self, name: str, *axes: str) -> tuple[int, ...]:
        """The shape of a tensor that must be there and have these axes."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise CheckpointError(f"{self.path}: the checkpoint lacks {name}, which says what shape its model has")
        if tensor.ndim != len(axes):
            wanted = f"[{', '.join(axes)}]"
            raise CheckpointError(f"{self.path}: {name} has shape {list(tensor.shape)}, wanted {wanted}")
        return tuple(tensor.shape)

    def count(self, before: str, after: str = "") -> int:
        """How many numbers stand between `before` and `after` in the tensors' names: the number of blocks."""
        numbers = {
            rest.split(after, 1)[0] if after else rest
            for name in self.tensors
            if name.startswith(before) and after in (rest := name.removeprefix(before))
        }
        return len({number for number in numbers if number.isdecimal()})

    def agree(self, document: str, found: Mapping[str, int]) -> None:
        """Raises `CheckpointError` unless a document gives these numbers, which the tensors have."""
        record = self.documents[document]
        for key, value in found.items():
            if (said := record.whole(key)) != value:
                raise CheckpointError(
                    f"{record.where} says {key} {said}, the tensors of {self.path.name} say {value}: it is another "
                    "model's; give the checkpoint a folder of its own"
                )


def read(path: str | Path) -> CheckpointFile:
    """Reads a file, or the weights in a folder. Raises `CheckpointError` for what holds no tensors by name."""
    path = Path(path)
    if path.is_dir():
        path = _weights_in(path)
    if not path.is_file():
        raise CheckpointError(f"no such checkpoint: {path}")
    container = _container(path)
    tensors = _READERS[container](path)
    head = path.with_name(KERAS_HEAD)
    if container == KERAS_H5 and head.is_file():
        tensors |= {f"task/{name}": value for name, value in _read_h5(head).items()}
    documents = {} if container == NPZ else {name: _document(path.with_name(name)) for name in DOCUMENTS}
    return CheckpointFile(path, container, tensors, {name: record for name, record in documents.items() if record})


def _weights_in(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    others = sorted(file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".npz", ".bin", ".h5"))
    there = f"; there are {', '.join(others)}" if others else ""
    raise CheckpointError(f"{folder} holds neither {' nor '.join(WEIGHTS)}{there}")


def _container(path: Path) -> str:
    """By the first bytes, whatever the file is called."""
    with path.open("rb") as file:
        start = file.read(9)
    # A zip from the start on: an artefact has one behind it.
    if start[:4] == b"PK\x03\x04" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith(".npy") for name in names):
            return NPZ
        if any(name.endswith("data.pkl") for name in names):
            raise CheckpointError(_pickle(path))
        raise CheckpointError(f"{path} is a zip file without arrays in it: no checkpoint")
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return KERAS_H5
    if start[8:9] == b"{" or path.suffix == ".safetensors":
        return SAFETENSORS
    if start[:1] == b"\x80":
        raise CheckpointError(_pickle(path))
    raise CheckpointError(f"{path} is no safetensors, .npz or .weights.h5 file, whatever its name says")


def _pickle(path: Path) -> str:
    return (
        f"{path} is a PyTorch pickle, which edgevit does not open: reading one runs the code in it. Save it as "
        "safetensors first: safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')"
    )


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    return tensors


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            tensors = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise CheckpointError(f"{path} is not a readable .npz file: {error}") from error
    return {name: _from_bfloat16(value) for name, value in tensors.items()}


def _from_bfloat16(value: NDArray[Any]) -> NDArray[Any]:
    """NumPy has no bfloat16 and stores JAX's as two nameless bytes: the upper half of a float32."""
    if value.dtype.kind != "V" or value.dtype.itemsize != 2:
        return value
    return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _read_h5(path: Path) -> dict[str, NDArray[Any]]:
    import h5py

    tensors: dict[str, NDArray[Any]] = {}

    def visit(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            # As Keras called that group until 3.0.
            tensors[name.replace("_layer_checkpoint_dependencies/", "layers/", 1)] = np.asarray(entry)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{path} is not a readable HDF5 file: {error}") from error
    return tensors


_READERS = {SAFETENSORS: _read_safetensors, NPZ: _read_npz, KERAS_H5: _read_h5}


def _document(path: Path) -> Record | None:
    if not path.is_file():
        return None
    try:
        values = json.loads(read_text(path))
    except NotTextError as error:
        raise CheckpointError(f"{path} {error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds JSON that is not an object")
    return Record(values, str(path))
