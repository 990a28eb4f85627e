"""DeiT-Tiny, real weights: the artefacts that the other benchmarks measure, made once under build/benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit_runtime.resolution import ResolutionLike
from record import BUILD, real_data

LADDER = (96, 128, 160, 192, 224, 256, 320, 384)
SIXTEEN = (*range(96, 321, 16), 384)


def checkpoint() -> Path:
    """As timm saved it."""
    (file,) = (real_data() / "deit_tiny").glob("*.safetensors")
    return file


def keras_model() -> Path:
    """The imported model."""
    path = BUILD / "deit_tiny.keras"
    if not path.exists():
        from edgevit.checkpoints import import_checkpoint
        from edgevit.data.labels import read_labels
        from edgevit.model import save

        BUILD.mkdir(parents=True, exist_ok=True)
        labels = read_labels(real_data() / "imagenet_classes.txt")
        save(import_checkpoint(checkpoint(), "deit-tiny", labels=labels), path)
    return path


def artefact(
    recipe: str, resolutions: Sequence[ResolutionLike], *, logits: bool = False, without_pictures: bool = False
) -> Path:
    """An artefact under a recipe, with one resolution or more; calibrated where the recipe wants pictures."""
    span = str(resolutions[0]) if len(resolutions) == 1 else f"ladder{len(resolutions)}"
    name = f"{recipe}-without-pictures" if without_pictures else recipe
    path = BUILD / f"deit_tiny-{name}-{span}{'-logits' if logits else ''}.tflite"
    if not path.exists():
        from converters import convert
        from converters.quantize.recipes import get_recipe
        from edgevit.model import load

        wanted = get_recipe(recipe).wants_calibration and not without_pictures
        calibration = real_data() / "imagenet_calibration" if wanted else None
        convert(
            load(keras_model()),
            path,
            recipe=recipe,
            resolutions=resolutions,
            calibration=calibration,
            logits=logits,
            source=keras_model(),
        )
    return path
