"""The manifest: what an artefact says of itself. JSON in the TFLite metadata buffer `EDGEVIT_MANIFEST`.

Its schema is runtimes/contract/manifest.schema.json; what is demanded here is what reading it takes.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgevit_runtime.errors import ArtefactError, EdgeViTError, ResolutionError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.json_values import check_tree, items, record, text, whole
from edgevit_runtime.manifest_notes import check_notes
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.signature import Signature, parts_of, read_signature
from edgevit_runtime.tasks import read_task
from edgevit_runtime.tasks.task import Task
from edgevit_runtime.verify.flatbuffer import DamagedError, Fields, Parser
from edgevit_runtime.verify.integrity import SIZE_BYTES as SEAL_BYTES
from edgevit_runtime.verify.snapshot import Snapshot
from edgevit_runtime.verify.tflite_schema import TABLES

BUFFER_NAME = "EDGEVIT_MANIFEST"
SCHEMA_VERSION = (2, 2)
"""(major, minor): a reader refuses another major version and reads any minor one. 2.1 states what signatures cost, 2.2
has joint tasks."""

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
    """By name, in the file's order, joint ones too: `classify`, `segment`, `classify+segment`."""
    signatures: tuple[Signature, ...]
    """By task, and ascending by resolution."""
    raw: Mapping[str, Any]

    @property
    def default_task(self) -> str:
        """`classify` where the artefact does that, otherwise its first task."""
        return "classify" if "classify" in self.tasks else self.single_tasks[0]

    @property
    def single_tasks(self) -> tuple[str, ...]:
        """All but the joint ones."""
        return tuple(name for name in self.tasks if len(parts_of(name)) == 1)

    def joint_task(self, tasks: Sequence[str]) -> str | None:
        """The one that answers all of these in one pass, and least besides; None where there is none."""
        joint = [name for name in self.tasks if len(parts_of(name)) > 1 and set(tasks) <= set(parts_of(name))]
        return min(joint, key=lambda name: len(parts_of(name)), default=None)

    @property
    def resolutions(self) -> tuple[Resolution, ...]:
        """The ladder, ascending: that of the default task."""
        return self.ladder(self.default_task)

    def ladder(self, task: str) -> tuple[Resolution, ...]:
        """A task's resolutions, ascending."""
        return tuple(signature.resolution for signature in self._of(task))

    def _of(self, task: str) -> Sequence[Signature]:
        """A task's own signatures; of a file that has it within a joint task alone, those."""
        own = [each for each in self.signatures if each.task == task]
        return own or [each for each in self.signatures if task in each.tasks]

    def signature(self, resolution: ResolutionLike, task: str | None = None) -> Signature:
        """The signature that answers a task (None: the default one) at a resolution.

        Raises `ResolutionError`, `EdgeViTError`.
        """
        task, wanted = task or self.default_task, as_resolution(resolution)
        if task not in self.tasks:
            raise EdgeViTError(f"the artefact has no task {task!r} (it holds {', '.join(self.tasks)})")
        for signature in self._of(task):
            if signature.resolution == wanted:
                return signature
        held = self.ladder(task)
        nearest = min(held, key=lambda each: abs(each.width - wanted.width) + abs(each.height - wanted.height))
        raise ResolutionError(
            f"the artefact has no resolution {wanted} (it holds {', '.join(map(str, held))}; the nearest is {nearest})"
        )


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Reads and checks the manifest of an artefact. Raises `ArtefactError`, which names the file."""
    with Snapshot(path) as snapshot:
        return manifest_of(snapshot)


def manifest_of(snapshot: Snapshot) -> Manifest:
    """The manifest of an artefact that was opened. Raises `ArtefactError`, which names the file."""
    try:
        with snapshot.mapped() as data:
            if not _is_tflite(data):
                raise ArtefactError(f"not a TFLite file{_what_first(snapshot.path)}")
            content = find_manifest(data)
        if content is None:
            raise ArtefactError("a TFLite file without an edgevit manifest; make an artefact with `edgevit convert`")
        manifest = parse_manifest(content)
        # A tool may append to the file, so only a shorter one is damaged.
        whole = manifest.size_bytes + (SEAL_BYTES if manifest.raw.get("sealed") else 0)
        if snapshot.size_bytes < whole:
            raise ArtefactError(f"the file is truncated or damaged: {snapshot.size_bytes} of its {whole} bytes")
        return manifest
    except ArtefactError as error:
        raise ArtefactError(f"{snapshot.path}: {error}") from error


def _what_first(path: str) -> str:
    """What makes an artefact of a file that is none yet, told by its name."""
    stem, kind = os.path.splitext(path)
    if kind.lower() == ".keras":
        command = shlex.join(["edgevit", "convert", path, "-o", f"{stem}.tflite"])
        return f", but a model; convert it first: {command}"
    if kind.lower() in (".safetensors", ".npz"):
        command = shlex.join(["edgevit", "import", path, "-o", f"{stem}.keras"])
        return f", but a checkpoint; import it first, then convert that: {command}"
    return ""


def _is_tflite(data: memoryview) -> bool:
    return bytes(data[4:8]) == b"TFL3"


def find_manifest(data: memoryview) -> bytes | None:
    """The manifest's bytes, or None where a TFLite file has none."""
    if not _is_tflite(data):
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


def parse_manifest(content: bytes) -> Manifest:
    """The manifest from its JSON. Raises `ArtefactError` for another major version or anything missing."""
    try:
        raw = parse_json(content)
        major, minor = raw["schema_version"]
        if not isinstance(minor, int) or minor < 0:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ArtefactError("its manifest is damaged: not JSON with a schema version") from None
    if major != SCHEMA_VERSION[0]:
        older = isinstance(major, int) and major < SCHEMA_VERSION[0]
        shown = ascii(major)[:20]
        raise ArtefactError(
            f"its manifest has schema version {shown}, this runtime reads {SCHEMA_VERSION[0]}: "
            + ("convert the model again" if older else "upgrade edgevit-runtime")
        )
    try:
        check_tree(raw)
        return _read(raw, (SCHEMA_VERSION[0], minor))
    except KeyError as error:
        raise ArtefactError(f"its manifest is damaged: no {error}") from error
    except (ValueError, OverflowError, TypeError, AttributeError, EdgeViTError) as error:
        raise ArtefactError(f"its manifest is damaged: {error}") from error  # JSON's 1e999 is infinite


def _read(raw: Mapping[str, Any], version: tuple[int, int]) -> Manifest:
    tasks = record(raw, "tasks")
    signatures = [read_signature(each, version) for each in items(raw, "signatures")]
    names = [signature.name for signature in signatures]
    if len(set(names)) < len(names):
        raise ValueError("two signatures of one name")
    order = {name: number for number, name in enumerate(tasks)}
    signatures.sort(key=lambda each: (order[each.task], each.resolution))
    for signature in signatures:
        if not order.keys() >= set(signature.tasks):
            raise ValueError(f"{signature.name} joins tasks that are not there")
    held = {name: [each.part(name) for each in signatures if name in (each.task, *each.tasks)] for name in order}
    if not held or not all(held.values()):
        raise ValueError("a task without signatures")
    check_notes(raw)
    model = record(raw, "model")
    manifest = Manifest(
        size_bytes=whole(raw, "size_bytes"),
        recipe=text(raw, "recipe"),
        variant=text(model, "variant"),
        patch=whole(record(model, "config"), "patch", 1, 2**16),
        default_resolution=as_resolution(raw["default_resolution"]),
        tasks={name: read_task(name, record(tasks, name), held[name]) for name in order},
        signatures=tuple(signatures),
        raw=raw,
    )
    manifest.signature(manifest.default_resolution)
    return manifest
