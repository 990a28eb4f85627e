"""The manifest: what an artefact says of itself. JSON in the TFLite metadata buffer `EDGEVIT_MANIFEST`.

Its schema is runtimes/contract/manifest.schema.json; what is demanded here is what reading it takes.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevit_runtime.errors import ArtefactError, EdgeViTError, ResolutionError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.signature import Signature, read_signature
from edgevit_runtime.tasks import read_task
from edgevit_runtime.tasks.task import Task
from edgevit_runtime.verify.flatbuffer import DamagedError, Fields, Parser
from edgevit_runtime.verify.integrity import SIZE_BYTES as SEAL_BYTES
from edgevit_runtime.verify.tflite_schema import TABLES

BUFFER_NAME = "EDGEVIT_MANIFEST"
SCHEMA_VERSION = (2, 0)
"""(major, minor): a reader refuses another major version and reads any minor one."""

# Only what leads to the manifest is followed: `verifier` looks at the rest before native code does.
_HEAD: dict[str, Fields] = {
    "Model": {number: (f"field {number}", "offset") for number in range(10)}
    | {number: TABLES["Model"][number] for number in (0, 4, 6)},
    "Buffer": TABLES["Buffer"],
    "Metadata": TABLES["Metadata"],
}


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. `raw` is the JSON as it stands in the file."""

    size_bytes: int
    recipe: str
    variant: str
    patch: int
    default_resolution: Resolution
    tasks: Mapping[str, Task]
    """By name, in the file's order."""
    signatures: tuple[Signature, ...]
    """By task, and ascending by resolution."""
    raw: Mapping[str, Any]

    @property
    def default_task(self) -> str:
        """`classify` where the artefact does that, otherwise its first task."""
        return "classify" if "classify" in self.tasks else next(iter(self.tasks))

    @property
    def resolutions(self) -> tuple[Resolution, ...]:
        """The ladder, ascending: that of the default task."""
        return self.ladder(self.default_task)

    def ladder(self, task: str) -> tuple[Resolution, ...]:
        """A task's resolutions, ascending."""
        return tuple(signature.resolution for signature in self.signatures if signature.task == task)

    def signature(self, resolution: ResolutionLike, task: str | None = None) -> Signature:
        """The signature of a task (None: the default one) at a resolution. Raises `ResolutionError`, `EdgeViTError`."""
        task, wanted = task or self.default_task, as_resolution(resolution)
        if task not in self.tasks:
            raise EdgeViTError(f"the artefact has no task {task!r} (it holds {', '.join(self.tasks)})")
        for signature in self.signatures:
            if signature.resolution == wanted and signature.task == task:
                return signature
        held = self.ladder(task)
        nearest = min(held, key=lambda each: abs(each.width - wanted.width) + abs(each.height - wanted.height))
        raise ResolutionError(
            f"the artefact has no resolution {wanted} (it holds {', '.join(map(str, held))}; the nearest is {nearest})"
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
        raw = parse_json(text)
        major = raw["schema_version"][0]
    except (ValueError, KeyError, TypeError, IndexError):
        raise ArtefactError("its manifest is damaged: not JSON with a schema version") from None
    if major != SCHEMA_VERSION[0]:
        older = isinstance(major, int) and major < SCHEMA_VERSION[0]
        raise ArtefactError(
            f"its manifest has schema version {major}, this runtime reads {SCHEMA_VERSION[0]}: "
            + ("convert the model again" if older else "upgrade edgevit-runtime")
        )
    try:
        return _read(raw)
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError, EdgeViTError) as error:
        raise ArtefactError(f"its manifest is damaged: {error}") from error  # JSON's 1e999 is infinite


def _read(raw: Mapping[str, Any]) -> Manifest:
    signatures = [read_signature(each) for each in raw["signatures"]]
    names = [signature.name for signature in signatures]
    if len(set(names)) < len(names):
        raise ValueError("two signatures of one name")
    order = {name: number for number, name in enumerate(raw["tasks"])}
    signatures.sort(key=lambda each: (order[each.task], each.resolution))
    held = {name: [each for each in signatures if each.task == name] for name in order}
    if not held or not all(held.values()):
        raise ValueError("a task without signatures")
    manifest = Manifest(
        size_bytes=int(raw["size_bytes"]),
        recipe=str(raw["recipe"]),
        variant=str(raw["model"]["variant"]),
        patch=int(raw["model"]["config"]["patch"]),
        default_resolution=as_resolution(raw["default_resolution"]),
        tasks={name: read_task(name, raw["tasks"][name], held[name]) for name in order},
        signatures=tuple(signatures),
        raw=raw,
    )
    manifest.signature(manifest.default_resolution)
    return manifest
