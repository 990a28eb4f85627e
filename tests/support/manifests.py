"""Manifests of artefacts as JSON, changed here and there, and the contract's schema of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgevit_runtime.manifest import read_manifest

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "runtimes" / "contract" / "manifest.schema.json").read_text(encoding="utf-8")
)


def changed(artefact: Path, task: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An artefact's manifest with other values in a task's entry; None takes one out."""
    raw = copy.deepcopy(dict(read_manifest(artefact).raw))
    raw["tasks"][task] = {name: value for name, value in {**raw["tasks"][task], **entry}.items() if value is not None}
    return raw
