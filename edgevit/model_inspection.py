"""What a `.keras` file with a model of edgevit's says of it: the `edgevit.model/1` document, read without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ModelError, ResolutionError
from edgevit.image_text_config import ImageTextConfig, needs_labels
from edgevit.saved_keras import OUR_IMAGE_TEXT, OUR_VIT, check_whole, read_saved
from edgevit_runtime.verify.integrity import file_sha256

__all__ = ["inspect_model", "read_config", "read_image_text"]


def inspect_model(path: str | Path) -> dict[str, Any]:
    """Its config, labels and calibration; of an image-text model `text`, `scores` and `templates`, too.

    Raises `ModelError` for a file that is damaged or holds another model.
    """
    path = Path(path)
    found = _read(path)
    if isinstance(found, str):
        raise ModelError(
            f"{path} holds a Keras {found}, not an edgevit ViT: `edgevit convert` takes it, and `edgevit inspect` then "
            "shows the artefact"
        )
    check_whole(path)
    document = {
        "schema": "edgevit.model/1",
        "model": str(path),
        "size_bytes": path.stat().st_size,
        "sha256": file_sha256(path),
    }
    if isinstance(found, ImageTextConfig):
        return {
            **document,
            "variant": found.image.variant,
            "config": found.image.to_dict(),
            "calibration": None,
            "text": found.text.to_dict(),
            "scores": found.scores,
            "templates": list(found.templates),
        }
    config, calibration = found
    return {
        **document,
        "variant": config.variant,
        "config": config.to_dict(),
        "calibration": calibration and {"recipe": calibration.recipe, "ranges": len(calibration.ranges)},
    }


def read_config(path: str | Path) -> tuple[ViTConfig, ActivationRanges | None] | None:
    """A model's config and the ranges that it learned; None for another model than ours. Reads no weights.

    Raises `ModelError` for a file that holds no model, and for an image-text model, which says what to do with it.
    """
    found = _read(Path(path))
    if isinstance(found, ImageTextConfig):
        raise needs_labels(path)
    return None if isinstance(found, str) else found


def read_image_text(path: str | Path) -> ImageTextConfig | None:
    """An image-text model's config; None for any other model. Raises `ModelError` for a file that holds none."""
    found = _read(Path(path))
    return found if isinstance(found, ImageTextConfig) else None


def _read(path: Path) -> tuple[ViTConfig, ActivationRanges | None] | ImageTextConfig | str:
    """Config and learned ranges, an image-text model's config, or what another model is called."""
    saved, _ = read_saved(path)
    try:
        if saved.get("registered_name") == OUR_IMAGE_TEXT:
            return ImageTextConfig.from_dict(saved["config"]["image_text"])
        if saved.get("registered_name") != OUR_VIT:
            return str(saved["class_name"])
        config = ViTConfig.from_dict(saved["config"]["vit"])
        learned = saved["config"].get("calibration")
        return config, None if learned is None else ActivationRanges.from_dict(learned)
    except (ConfigError, ResolutionError) as error:
        raise ModelError(f"{path}: {error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not a .keras model, or is cut short (make one with `edgevit train`, or `edgevit import`)"
        ) from error
