"""What a `.keras` file with an edgevit ViT says of it: the `edgevit.model/1` document, read without Keras."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ModelError, ResolutionError
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["inspect_model"]

_REGISTERED = "edgevit>ViT"
"""What Keras calls `edgevit.model.ViT` in a file."""


def inspect_model(path: str | Path) -> dict[str, Any]:
    """Its config, labels and calibration. Raises `ModelError` for a file that is damaged or holds another model."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"no such model: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            saved = parse_json(archive.read("config.json"))
            damaged = archive.testzip()
        if damaged is not None:
            raise ModelError(f"{path} is damaged: {damaged} in it is not what was written")
        kind, ours = saved["class_name"], saved.get("registered_name") == _REGISTERED
        if ours:
            config = ViTConfig.from_dict(saved["config"]["vit"])
            learned = saved["config"].get("calibration")
            calibration = None if learned is None else ActivationRanges.from_dict(learned)
    except (ConfigError, ResolutionError) as error:
        raise ModelError(f"{path}: {error}") from error
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a .keras model, or is cut short (make one with `edgevit train`, or `edgevit import`)"
        ) from error
    if not ours:
        raise ModelError(
            f"{path} holds a Keras {kind}, not an edgevit ViT: `edgevit convert` takes it, and `edgevit inspect` then "
            "shows the artefact"
        )
    return {
        "schema": "edgevit.model/1",
        "model": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        "variant": config.variant,
        "config": config.to_dict(),
        "calibration": calibration and {"recipe": calibration.recipe, "ranges": len(calibration.ranges)},
    }
