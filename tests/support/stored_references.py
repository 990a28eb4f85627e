"""What libraries wrote and answered, kept under tests/references: a small compressed file each, made by
tools/store_references.py. All weights in them are random numbers of ours.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from support.library_references import STORED, Reference
from support.text_references import TEXT_REFERENCES
from support.tower_references import TOWERS

FOLDER = Path(__file__).resolve().parents[1] / "references"
_FIELDS = ("library", "features", "classes", "variant", "vectors", "stream")


def place(name: str) -> Path:
    """`timm: ViT` -> .../timm-vit.npz"""
    assert name in {*STORED, *TEXT_REFERENCES, *TOWERS}
    return FOLDER / f"{'-'.join(''.join(each if each.isalnum() else ' ' for each in name.lower()).split())}.npz"


def store(name: str, reference: Reference) -> Path:
    """Writes the checkpoint's files, byte by byte, the pictures and the library's answer."""
    top = reference.path if reference.path.is_dir() else reference.path.parent
    files = sorted(path for path in top.rglob("*") if path.is_file())
    if reference.path.is_file():
        assert files == [reference.path]
    about = {field: getattr(reference, field) for field in _FIELDS}
    about |= {"name": name, "file": reference.path.name if reference.path.is_file() else None}
    arrays = {f"file:{path.relative_to(top).as_posix()}": np.frombuffer(path.read_bytes(), np.uint8) for path in files}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        place(name), about=np.array(json.dumps(about)), images=reference.images, answer=reference.answer, **arrays
    )
    return place(name)


def read(name: str, folder: Path) -> Reference:
    """The checkpoint as the library wrote it, in an empty folder, and what the library answered."""
    with np.load(place(name)) as stored:
        about = json.loads(str(stored["about"]))
        for key in stored.files:
            if key.startswith("file:"):
                path = folder / key.removeprefix("file:")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored[key].tobytes())
        path = folder / about["file"] if about["file"] else folder
        facts = {field: about[field] for field in _FIELDS if field in about}
        return Reference(path, stored["images"], stored["answer"], **facts)
