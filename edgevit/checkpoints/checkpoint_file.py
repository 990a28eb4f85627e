"""A checkpoint as it lies on the disk: its tensors by name, and the JSON documents beside them."""

from __future__ import annotations

import json
import math
import re
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
from edgevit.untrusted_files import MAX_JSON, check_arrays, check_zip, lookalike
from edgevit_runtime.array_file import UNREADABLE, header_of

CheckpointArrays = Mapping[str, NDArray[Any]]

INDEX = "model.safetensors.index.json"
WEIGHTS = ("model.safetensors", INDEX, "open_clip_model.safetensors", "model.weights.h5")
"""The weights that a folder is looked through for: Hugging Face's and timm's, in one file or several; KerasHub's."""
MAX_SHARDS = 1000
OTHERS = {
    ".onnx": "an ONNX graph, without named layers",
    ".tflite": "a converted .tflite file",
    ".gguf": "a GGUF file, of language models",
    ".msgpack": "a Flax checkpoint in msgpack",
    ".ckpt": "a checkpoint of TensorFlow 1 or of a trainer",
    ".index": "a checkpoint of TensorFlow",
    ".gz": "a compressed archive: unpack it first",
    ".tar": "an archive: unpack it first",
    ".mat": "a MATLAB file",
}
"""By suffix, where the first bytes say nothing."""
KERAS_HEAD = "task.weights.h5"
DOCUMENTS = ("config.json", "preprocessor_config.json", "open_clip_config.json", "image_converter.json", "task.json")
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
    shard = re.fullmatch(r"(.+)-\d{5}-of-\d{5}\.safetensors", path.name)
    if shard is not None:
        index = path.with_name(f"{shard[1]}.safetensors.index.json")
        if not index.is_file():
            raise CheckpointError(f"{path} is one of several files, and their index, {index.name}, is not beside it")
        path = index
    if path.name.endswith(".safetensors.index.json"):
        container, tensors = SAFETENSORS, _read_shards(path)
    else:
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
    if (folder / "saved_model.pb").is_file():
        raise CheckpointError(
            f"{folder} is a TensorFlow SavedModel, a graph without named layers: save the Keras model again where it "
            "was made, with model.save('model.keras')"
        )
    others = sorted(
        file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".npz", ".bin", ".h5", ".pth", ".pt")
    )
    there = f"; there are {', '.join(others)}" if others else ""
    raise CheckpointError(f"{folder} holds neither {WEIGHTS[0]} nor {WEIGHTS[-1]}{there}")


def _container(path: Path) -> str:
    """By the first bytes, whatever the file is called."""
    if instead := lookalike(path):
        raise CheckpointError(f"{path} {instead}")
    with path.open("rb") as file:
        start = file.read(9)
    # A zip from the start on: an artefact has one behind it.
    if start[:4] == b"PK\x03\x04" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            check_zip(path, archive, CheckpointError)
        if "config.json" in names:
            raise CheckpointError(f"{path} is a .keras model already; `edgevit convert` takes it as it is")
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
    if what := OTHERS.get(path.suffix.lower()):
        raise CheckpointError(f"{path} is no safetensors, .npz or .weights.h5 file, but {what}")
    raise CheckpointError(f"{path} is no safetensors, .npz or .weights.h5 file, whatever its name says")


def _pickle(path: Path) -> str:
    return (
        f"{path} is a PyTorch pickle, which edgevit does not open: reading one can run code. Make safetensors of it "
        "first, with the few lines in docs/checkpoints.md (From .pth and .bin), where PyTorch is installed"
    )


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    return tensors


def _read_shards(index: Path) -> dict[str, NDArray[Any]]:
    """All files that an index names, which lie beside it."""
    document = _document(index)
    assert document is not None
    places = document.record("weight_map").values
    files = sorted({str(each) for each in places.values()})
    if not files or len(files) > MAX_SHARDS:
        raise CheckpointError(f"{index} names {len(files)} files; from 1 to {MAX_SHARDS} are read")
    tensors: dict[str, NDArray[Any]] = {}
    for name in files:
        if Path(name).name != name or not (index.parent / name).is_file():
            raise CheckpointError(f"{index} names {name!r}, which is not beside it: download all of its files")
        if _container(index.parent / name) != SAFETENSORS:
            raise CheckpointError(f"{index.parent / name} is no safetensors file")
        tensors |= _read_safetensors(index.parent / name)
    lacking = sorted(set(places) - set(tensors))
    if lacking:
        raise CheckpointError(f"{index} names {lacking[0]}, which {places[lacking[0]]!r} does not hold")
    return tensors


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _check_array(path, archive, entry)
        with np.load(path, allow_pickle=False) as arrays:
            tensors = {name: arrays[name] for name in arrays.files}
    except UNREADABLE as error:
        raise CheckpointError(f"{path} is not a readable .npz file: {error}") from error
    return {name: _from_bfloat16(value) for name, value in tensors.items()}


def _check_array(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raises `CheckpointError` where an array's header asks for more than the file has: NumPy makes room first."""
    shape, dtype = header_of(archive, entry)
    if dtype.hasobject:
        raise CheckpointError(f"{path}: {entry.filename} is a pickle, which edgevit does not open")
    if math.prod(shape) * dtype.itemsize > entry.file_size:
        raise CheckpointError(f"{path}: {entry.filename} says shape {list(shape)}, for which it is too short: damaged")


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
            if "model_config" in file.attrs:
                raise CheckpointError(
                    f"{path} is a whole model in Keras's old format, no checkpoint: python -c \"import keras; "
                    f"keras.saving.load_model('{path.name}', compile=False).save('{path.stem}.keras')\" makes a .keras "
                    "file of it, which `edgevit convert` takes"
                )
            check_arrays(path, file, CheckpointError)
            file.visititems(visit)
    except (OSError, RuntimeError, TypeError, ValueError, KeyError, MemoryError) as error:
        raise CheckpointError(f"{path} is not a readable HDF5 file: {error}") from error
    return tensors


_READERS = {SAFETENSORS: _read_safetensors, NPZ: _read_npz, KERAS_H5: _read_h5}


def _document(path: Path) -> Record | None:
    if not path.is_file():
        return None
    if path.stat().st_size > MAX_JSON:
        raise CheckpointError(f"{path} has {path.stat().st_size / 1e6:.0f} MB, which no such document has")
    try:
        values = json.loads(read_text(path))
    except NotTextError as error:
        raise CheckpointError(f"{path} {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds JSON that is not an object")
    return Record(values, str(path))
