"""The manifest: what an artefact says of itself. JSON in the TFLite metadata buffer `EDGEVIT_MANIFEST`."""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from edgevit_runtime.errors import ArtefactError, EdgeViTError, ResolutionError
from edgevit_runtime.preprocess.pipeline import parse_policy
from edgevit_runtime.verify.flatbuffer import DamagedError, Fields, Parser
from edgevit_runtime.verify.integrity import SIZE_BYTES as SEAL_BYTES
from edgevit_runtime.verify.self_test import SelfTest, parse_self_test
from edgevit_runtime.verify.tflite_schema import TABLES

BUFFER_NAME = "EDGEVIT_MANIFEST"
SCHEMA_VERSION = (1, 0)
"""(major, minor): a reader refuses a newer major version and reads any minor one."""

# Only what leads to the manifest is followed: `verify` looks at the rest before native code does.
_HEAD: dict[str, Fields] = {
    "Model": {number: (f"field {number}", "offset") for number in range(10)}
    | {number: TABLES["Model"][number] for number in (0, 4, 6)},
    "Buffer": TABLES["Buffer"],
    "Metadata": TABLES["Metadata"],
}


class Tensor(NamedTuple):
    """An input or output: its name, dtype, shape, and where it is quantized, real = scale * (q - zero_point)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0


class Signature(NamedTuple):
    """One task at one resolution."""

    name: str
    task: str
    resolution: int
    tokens: int
    ops: int
    partitions: int
    macs: Mapping[str, int]
    input: Tensor
    outputs: tuple[Tensor, ...]
    self_test: SelfTest


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. `raw` is the JSON as it stands in the file."""

    size_bytes: int
    recipe: str
    variant: str
    patch: int
    classes: int
    labels: tuple[str, ...]
    label_keys: tuple[str, ...]
    """What else the classes are called, such as ImageNet's WNIDs; or empty."""
    resize: str
    default_resolution: int
    signatures: tuple[Signature, ...]
    raw: Mapping[str, Any]

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The ladder, ascending."""
        return tuple(signature.resolution for signature in self.signatures)

    def signature(self, resolution: int) -> Signature:
        for signature in self.signatures:
            if signature.resolution == resolution:
                return signature
        if not isinstance(resolution, int):
            raise ResolutionError(f"a resolution is a whole number of pixels, not {resolution!r}")
        ladder = ", ".join(map(str, self.resolutions))
        nearest = min(self.resolutions, key=lambda held: abs(held - resolution))
        raise ResolutionError(
            f"the artefact has no resolution {resolution} (it holds {ladder}; the nearest is {nearest})"
        )


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Reads and checks the manifest of an artefact. Raises `ArtefactError`, which names the file."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise ArtefactError(f"no such artefact: {path}")
    try:
        size_bytes = os.path.getsize(path)
        with open(path, "rb") as file:
            if size_bytes == 0:
                raise ArtefactError("the file is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                text = find_manifest(data)
        if text is None:
            raise ArtefactError("a TFLite file without an edgevit manifest; make an artefact with `edgevit convert`")
        manifest = parse_manifest(text)
        # A tool may append to the file (TFLite Metadata is a zip behind it), so only a shorter one is damaged.
        whole = manifest.size_bytes + (SEAL_BYTES if manifest.raw.get("sealed") else 0)
        if size_bytes < whole:
            raise ArtefactError(f"the file is truncated or damaged: {size_bytes} of its {whole} bytes")
        return manifest
    except OSError as error:
        raise ArtefactError(f"cannot read {path}: {error.strerror}") from error
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error


def find_manifest(data: memoryview) -> bytes | None:
    """The manifest's bytes, or None where a TFLite file has none."""
    if bytes(data[4:8]) != b"TFL3":
        raise ArtefactError("not a TFLite file")
    try:
        model = Parser(data, _HEAD).root("Model")
        buffers = model.get("buffers", [])
        for entry in model.get("metadata", ()):
            if entry.get("name") != BUFFER_NAME.encode():
                continue
            buffer = buffers[entry.get("buffer", 0)]
            start, size = buffer.get("data", (0, 0))
            if buffer.get("offset", 0) > 1:  # 0 and 1 mean: within the flatbuffer
                start, size = buffer["offset"], buffer.get("size", 0)
            if start + size > len(data):
                raise DamagedError("its manifest reaches beyond the file")
            return bytes(data[start : start + size])
    except (DamagedError, IndexError) as error:
        raise ArtefactError(f"the file is truncated or damaged: {error}") from None
    return None


def parse_manifest(text: bytes) -> Manifest:
    """The manifest from its JSON. Raises `ArtefactError` for another major version or anything missing."""
    try:
        raw = json.loads(text)
        major = raw["schema_version"][0]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise ArtefactError("its manifest is damaged: not JSON with a schema version") from None
    if major != SCHEMA_VERSION[0]:
        raise ArtefactError(
            f"its manifest has schema version {major}, this runtime reads {SCHEMA_VERSION[0]}: upgrade edgevit-runtime"
        )
    try:
        manifest = Manifest(
            size_bytes=int(raw["size_bytes"]),
            recipe=str(raw["recipe"]),
            variant=str(raw["model"]["variant"]),
            patch=int(raw["model"]["config"]["patch"]),
            classes=int(raw["classes"]),
            labels=tuple(map(str, raw["labels"])),
            label_keys=tuple(map(str, raw.get("label_keys", ()))),
            resize=str(raw["preprocessing"]["resize"]),
            default_resolution=int(raw["default_resolution"]),
            signatures=tuple(sorted(map(_signature, raw["signatures"]), key=lambda each: each.resolution)),
            raw=raw,
        )
        parse_policy(manifest.resize)
        if manifest.labels and len(manifest.labels) != manifest.classes:
            raise ValueError(f"{len(manifest.labels)} labels for {manifest.classes} classes")
        if manifest.label_keys and len(manifest.label_keys) != manifest.classes:
            raise ValueError(f"{len(manifest.label_keys)} label keys for {manifest.classes} classes")
        manifest.signature(manifest.default_resolution)
    except (ValueError, OverflowError, KeyError, TypeError, EdgeViTError) as error:  # JSON's 1e999 is infinite
        raise ArtefactError(f"its manifest is damaged: {error}") from error
    return manifest


def _signature(raw: Mapping[str, Any]) -> Signature:
    outputs = tuple(map(_tensor, raw["outputs"]))
    return Signature(
        name=str(raw["name"]),
        task=str(raw["task"]),
        resolution=int(raw["resolution"]),
        tokens=int(raw["tokens"]),
        ops=int(raw["ops"]),
        partitions=int(raw["partitions"]),
        macs={"linear": int(raw["macs"]["linear"]), "attention": int(raw["macs"]["attention"])},
        input=_tensor(raw["input"]),
        outputs=outputs,
        self_test=parse_self_test(raw["self_test"], {each.name: math.prod(each.shape) for each in outputs}),
    )


def _tensor(raw: Mapping[str, Any]) -> Tensor:
    return Tensor(
        name=str(raw["name"]),
        dtype=str(raw["dtype"]),
        shape=tuple(map(int, raw["shape"])),
        scale=float(raw.get("scale", 0.0)),
        zero_point=int(raw.get("zero_point", 0)),
    )
