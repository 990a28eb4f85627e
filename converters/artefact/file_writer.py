"""The last steps to an artefact on disk: describe, pack, seal, test, put in place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from converters.artefact import tflite_metadata
from converters.artefact.ladder import add_metadata
from converters.artefact.manifest_writer import stamp_size
from converters.graph.packing import pack
from edgevit.errors import AuditError, ConversionError
from edgevit.files import replacing
from edgevit_runtime import Model
from edgevit_runtime.manifest import BUFFER_NAME, Manifest, parse_manifest
from edgevit_runtime.verify.integrity import SIZE_BYTES, make_seal

OnStep = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all)."""


def check_finite(weights: Iterable[tuple[str, Any]]) -> None:
    """Raises `ConversionError` naming the first weight, of (name, array), that holds NaN or infinity."""
    for name, values in weights:
        if np.asarray(values).dtype.kind == "f" and not np.isfinite(values).all():
            raise ConversionError(f"the model's weight {name} holds NaN or infinity; it cannot be converted")


def write(path: Path, model: Any, manifest: bytes, sign: str | Path | None, *, quick: bool = False) -> None:
    """Writes a merged `schema.ModelT` with its manifest, after its self-test; a failure leaves nothing there.

    quick: one copy of each of the self-test's pictures will do.
    Raises `AuditError` where the self-test fails, `ConfigError` where the file cannot be written.
    """
    described = parse_manifest(manifest)
    add_metadata(model, BUFFER_NAME, manifest)
    add_metadata(model, tflite_metadata.BUFFER_NAME, tflite_metadata.standard_metadata(described))
    content = stamp_size(tflite_metadata.append_labels(pack(model), _labels(described), SIZE_BYTES))
    seal = make_seal(hashlib.sha256(content).digest(), sign)
    _write_tested(path, content + seal.to_bytes(), quick)


def _labels(manifest: Manifest) -> tuple[str, ...]:
    """The classes' names, where it classifies."""
    task: Any = manifest.tasks.get("classify")
    return task.labels if task else ()


def _write_tested(path: Path, content: bytes, quick: bool) -> None:
    """Writes beside `path`, replays the self-test through the runtime, and only then puts the file in place."""
    with replacing(path) as partial:
        partial.write_bytes(content)
        with Model(partial, weight_cache=False) as written:
            result = written.self_test(quick=quick)
        for check in result.checks:
            if not check.passed:
                raise AuditError(
                    f"the finished artefact fails its self-test: {check.name} is off by {check.error:.2f} times what "
                    f"rounding explains, tolerance {check.tolerance:.2f} ({result.backend} {result.version})"
                )
