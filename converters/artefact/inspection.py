"""What an artefact is, read from the file: the `edgevit.inspection/1` document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.running_on import running_on
from edgevit_runtime.signature import Signature
from edgevit_runtime.verify.examination import examine
from edgevit_runtime.verify.snapshot import Snapshot


def inspect(path: str | Path) -> dict[str, Any]:
    """Reads an artefact's manifest and size.

    Raises `ArtefactError` for anything that is none, and for one that was damaged or changed: what it says of itself
    is not to be believed then.
    """
    with Snapshot(path) as snapshot:
        manifest, digest, seal = examine(snapshot, remember=False)
        with snapshot.mapped() as data:
            model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
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
                "runs_on": _runs_on(model, signature),
            }
            for signature in manifest.signatures
        ],
        "manifest": dict(manifest.raw),
    }


def _runs_on(model: Any, signature: Signature) -> dict[str, Any]:
    """`cpu`, `gpu` and `npu`: whether each runs all of it, and the first op that it does not take."""
    definition = next(each for each in model.signatureDefs if each.signatureKey.decode() == signature.name)
    subgraph = model.subgraphs[definition.subgraphIndex]
    return {
        each.processor: {"whole": each.whole, "in_the_way": each.in_the_way}
        for each in running_on(model, subgraph, signature.partitions)
    }
