"""Models with a head for each dense task and random weights: what they say does not matter where only time does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converters import convert
from edgevit.data.panels import CLASSES, MASK_NAMES, POINTS
from edgevit.dense_head import DenseHead
from edgevit.model import ViT, build
from edgevit.variants import variant_config
from edgevit_runtime.resolution import ResolutionLike
from record import BUILD, real_data

TASKS = ("segment", "detect", "keypoints")
BACKBONE = "features"
"""Its signature gives the tokens of the whole picture, as all heads read them."""


def heads(width: int) -> tuple[DenseHead, ...]:
    """For drawn panels, as wide as training makes them over a backbone of this width (`edgevit.training.lessons`)."""
    half = max(32, width // 2)
    return (
        DenseHead("segment", len(MASK_NAMES), MASK_NAMES, width=half),
        DenseHead("detect", len(CLASSES), CLASSES, width=max(32, half * 2 // 3)),
        DenseHead("keypoints", len(POINTS), POINTS, width=half),
    )


def model(variant: str) -> ViT:
    config = variant_config(variant, classes=0)
    return build(config.with_(dense_heads=heads(config.width), resize="letterbox"), seed=1)


def artefact(variant: str, recipe: str, resolutions: Sequence[ResolutionLike]) -> Path:
    """One file with the backbone's tokens and each head alone."""
    ladder = "-".join(map(str, resolutions))
    path = BUILD / f"dense-{variant.replace('/', '-')}-{recipe}-{ladder}.tflite"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        pictures = None if recipe == "int8" else real_data() / "imagenet_calibration"
        tasks = (BACKBONE, *TASKS)
        made = model(variant)
        convert(made, path, recipe=recipe, task=tasks, resolutions=resolutions, calibration=pictures, joint=False)
    return path
