"""What a `.keras` file with an edgevit ViT says of it: the `edgevit.model/1` document, read without Keras."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ModelError, ResolutionError
from edgevit.untrusted_files import MAX_JSON, check_zip, lookalike, other_format
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["inspect_model", "read_config"]

_REGISTERED = "edgevit>ViT"
"""What Keras calls `edgevit.model.ViT` in a file."""


def inspect_model(path: str | Path) -> dict[str, Any]:
    """Its config, labels and calibration. Raises `ModelError` for a file that is damaged or holds another model."""
    path = Path(path)
    found = _read(path, whole=True)
    if isinstance(found, str):
        raise ModelError(
            f"{path} holds a Keras {found}, not an edgevit ViT: `edgevit convert` takes it, and `edgevit inspect` then "
            "shows the artefact"
        )
    config, calibration = found
    return {
        "schema": "edgevit.model/1",
        "model": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        "variant": config.variant,
        "config": config.to_dict(),
        "calibration": calibration and {"recipe": calibration.recipe, "ranges": len(calibration.ranges)},
    }


def read_config(path: str | Path) -> tuple[ViTConfig, ActivationRanges | None] | None:
    """A model's config and the ranges that it learned; None for another model than ours. Reads no weights.

    Raises `ModelError` for a file that holds no model.
    """
    found = _read(Path(path), whole=False)
    return None if isinstance(found, str) else found


def _read(path: Path, *, whole: bool) -> tuple[ViTConfig, ActivationRanges | None] | str:
    """Config and learned ranges, or what another model is called. whole: look whether all of the file is as written."""
    if not path.is_file():
        raise ModelError(f"no such model: {path}")
    if instead := lookalike(path) or other_format(path):
        raise ModelError(f"{path} {instead}")
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive, ModelError)
            if archive.getinfo("config.json").file_size > MAX_JSON:
                raise ModelError(f"{path}: config.json in it is larger than any model's: it is damaged")
            saved = parse_json(archive.read("config.json"))
            damaged = archive.testzip() if whole else None
        if damaged is not None:
            raise ModelError(f"{path} is damaged: {damaged} in it is not what was written")
        if saved.get("registered_name") != _REGISTERED:
            return str(saved["class_name"])
        config = ViTConfig.from_dict(saved["config"]["vit"])
        learned = saved["config"].get("calibration")
        return config, None if learned is None else ActivationRanges.from_dict(learned)
    except (ConfigError, ResolutionError) as error:
        raise ModelError(f"{path}: {error}") from error
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a .keras model, or is cut short (make one with `edgevit train`, or `edgevit import`)"
        ) from error
