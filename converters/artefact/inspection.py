"""What an artefact is, read from the file: the `edgevit.inspection/1` document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot


def inspect(path: str | Path) -> dict[str, Any]:
    """Reads an artefact's manifest and size.

    Raises `ArtefactError` for anything that is none, and for one that was damaged or changed: what it says of itself
    is not to be believed then.
    """
    with Snapshot(path) as snapshot:
        manifest, digest, seal = examine(snapshot, remember=False)
    return {
        "schema": "edgevit.inspection/1",
        "model": str(path),
        "size_bytes": snapshot.size_bytes,
        "sha256": digest.hex(),
        "signed_by": seal.key.hex() if seal and seal.signed else None,
        "recipe": manifest.recipe,
        "variant": manifest.variant,
        "tasks": {name: task.summary for name, task in manifest.tasks.items()},
        "limits": {name: task.limits for name, task in manifest.tasks.items() if hasattr(task, "limits")},
        "default_resolution": manifest.default_resolution.to_json(),
        "accuracy": manifest.raw.get("accuracy"),
        "signatures": [
            {
                "name": signature.name,
                "task": signature.task,
                **signature.resolution.to_fields(),
                "tokens": signature.tokens,
                "ops": signature.ops,
                "partitions": signature.partitions,
                "macs": dict(signature.macs),
            }
            for signature in manifest.signatures
        ],
        "manifest": dict(manifest.raw),
    }
