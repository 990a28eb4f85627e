"""Checkpoints that ask for far more than they bring: one line each, and no memory for it."""

import io
import json
import struct
import zipfile

import h5py
import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError

HUGE = 9 * 2**30 // 4
"""Numbers of float32 in 9 GB."""


def npy(shape, content=b""):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + content


def npz(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("embedding/kernel.npy", content)


def hdf5(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", dtype="f4", **options)


def safetensors(path, length, document):
    text = json.dumps(document).encode()
    path.write_bytes(struct.pack("<Q", length or len(text)) + text)


DEMANDS = {
    "x.npz": (lambda path: npz(path, npy((2**29,), bytes(2**29))), "would unpack to 536.9 MB"),
    "header.npz": (lambda path: npz(path, npy((2**40,))), r"says shape \[1099511627776\], for which it is too short"),
    "many.npz": (lambda path: npz(path, npy((2**40, 2**40, 2**40))), "for which it is too short"),
    "negative.npz": (lambda path: npz(path, npy((-1,))), "is not a readable .npz|too short|would"),
    "pickle.npz": (lambda path: np.savez(path, x=np.array([{}], object)), "is a pickle|is not a readable"),
    "x.h5": (lambda path: hdf5(path, shape=(HUGE,), chunks=(2**20,), compression="gzip"), "would unpack to 9.7 GB"),
    "far.h5": (lambda path: hdf5(path, shape=(4,), external=[("/etc/hostname", 0, 16)]), "lie in another file"),
    "x.safetensors": (lambda path: safetensors(path, 2**42, {}), "is not a readable safetensors file"),
    "tensor.safetensors": (
        lambda path: safetensors(
            path, 0, {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
        ),
        "is not a readable safetensors file",
    ),
    "deep.safetensors": (
        lambda path: path.write_bytes(struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000),
        "is not a readable safetensors file|is no safetensors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEMANDS)
def test_a_small_file_that_asks_for_much(tmp_path, name):
    write, message = DEMANDS[name]
    write(tmp_path / name)
    with pytest.raises(CheckpointError, match=message) as failure:
        import_checkpoint(tmp_path / name)
    assert "\n" not in str(failure.value)


def test_an_index_that_asks_for_much(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {f"x{each}": f"{each}.safetensors" for each in range(2000)}}))
    with pytest.raises(CheckpointError, match="names 2000 files; from 1 to 1000 are read"):
        import_checkpoint(index)
    index.write_text("{}")
    with pytest.raises(Exception, match="weight_map is missing"):
        import_checkpoint(index)


def test_a_cut_array(tmp_path):
    file = io.BytesIO()
    np.savez(file, **{"embedding/kernel": np.zeros((16, 16, 3, 8), np.float32)})
    (tmp_path / "x.npz").write_bytes(file.getvalue()[:2000])
    with pytest.raises(CheckpointError):
        import_checkpoint(tmp_path / "x.npz")
