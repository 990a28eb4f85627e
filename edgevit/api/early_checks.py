"""What is wrong with what was asked for, told before TensorFlow and Keras are loaded: in a moment, not in seconds.

Every function that needs them calls these first. They look at names, sizes and a model's description, decode no picture
and read no weights; what the work itself finds out later says the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig, check_resolution
from edgevit.data.folders import check_training_folder
from edgevit.errors import CheckpointError, ConfigError, ConversionError, DataError, ModelError
from edgevit.merged_config import merged_config
from edgevit.model_inspection import read_config
from edgevit.tasks import TASKS, check_options, default_tasks
from edgevit.untrusted_files import folder_instead, is_keras, neither
from edgevit_runtime import read_manifest
from edgevit_runtime.preprocess.picture_folders import no_pictures, pictures_below
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution

__all__ = [
    "KnownModel",
    "check_checkpoint",
    "check_heads",
    "check_judged",
    "check_labelled_folder",
    "check_labels",
    "check_ladder",
    "check_pictures",
    "check_policy",
    "check_training_folder",
    "known_model",
    "known_together",
]


@dataclass(frozen=True)
class KnownModel:
    """What a `.keras` file with an edgevit ViT says of it."""

    config: ViTConfig
    calibration: ActivationRanges | None


def known_model(path: str | Path) -> KnownModel | None:
    """What is known of a model; None where only Keras can tell. Raises `ModelError` for what is none."""
    path = Path(path)
    if not path.exists():
        raise ModelError(f"no such model: {path}")
    if path.is_dir():
        raise ModelError(f"{path} {folder_instead(path)}")
    found = read_config(path)
    return None if found is None else KnownModel(*found)


def known_together(
    models: Sequence[Path], resolutions: Sequence[Resolution] = (), resize: str | None = None
) -> KnownModel | None:
    """The same of several whose heads go into one file; see `merged_config`, which says what is wrong with them."""
    if len(models) == 1:
        return known_model(models[0])
    configs = {}
    for path in models:
        if str(path) in configs:
            raise ConversionError(f"{path} is named twice: name each model once")
        known = known_model(path)
        if known is None:
            raise ConversionError(
                f"{path} is not edgevit's own model, and only those share a backbone: convert it to a file of its own"
            )
        configs[str(path)] = known.config
    return KnownModel(merged_config(configs, resolutions=resolutions, resize=resize), None)


def check_heads(model: str | Path, task: str | None, options: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for a model that has no head for the task, or an option of a task that it has none for."""
    known = known_model(model) if Path(model).suffix == ".keras" else None
    if known is None:
        return
    config = known.config
    if task is not None and TASKS[task].own_classes:
        try:
            TASKS[task].of(config, {})
        except ConfigError as error:
            raise ConfigError(f"{model}: {error}") from error
    answered = default_tasks(config)
    able = [each for each in answered if TASKS[each].own_classes]
    check_options(options, (task,) if task else answered, able, str(model), judging=True)


def check_ladder(known: KnownModel | None, resolutions: Iterable[Resolution]) -> None:
    """Raises `ResolutionError` for a resolution that the model's patches do not divide."""
    if known is not None:
        for resolution in resolutions:
            check_resolution(resolution, known.config.patch)


def check_labels(known: KnownModel, labels: Collection[str] | None) -> None:
    """Raises `ConversionError` for names that are not one for each class of a classifier."""
    heads = [head.task for head in known.config.dense_heads]
    if labels is not None and not known.config.classes and heads:
        raise ConversionError(
            f"labels name the classes of a classifier, and this model has {' and '.join(heads)}, whose names are in it "
            "already: leave them out"
        )
    if labels is not None and len(labels) != known.config.classes:
        raise ConversionError(f"{len(labels)} labels for a model with {known.config.classes} classes")


def check_policy(resize: str | None) -> None:
    """Raises `PictureError` for a preprocessing policy that there is not."""
    if resize is not None:
        parse_policy(resize)


def check_checkpoint(path: Path) -> None:
    """Raises `CheckpointError` where there is none."""
    if not path.exists():
        raise CheckpointError(f"no such checkpoint: {path}")


def check_judged(model: str | Path) -> None:
    """Raises `ModelError` or `ArtefactError` for what cannot be evaluated."""
    path = Path(model)
    if path.suffix == ".tflite":
        read_manifest(path)
    elif path.suffix not in (".keras", ".h5") and not path.exists():
        raise ModelError(f"no such file: {path}")
    elif is_keras(path):
        known_model(path)
    else:
        raise neither(path)


def check_labelled_folder(path: str | Path) -> None:
    """Raises `DataError` where there is no such folder or table, or no picture in it."""
    root = Path(path)
    if not root.exists():
        raise DataError(f"no such picture folder: {root}")
    if root.is_dir() and not any(root.glob("*.csv")):
        check_pictures(root)


def check_pictures(root: Path) -> None:
    """Raises `DataError` for a folder without pictures."""
    found = pictures_below(root)
    if not found.files:
        raise DataError(str(no_pictures(root, found.left_out)))
