"""What can be asked about pictures, whatever kind of file it came from: a Keras model, ours or not, or an artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ConfigError
from edgevit.foreign_config import NOTHING_TOLD, Told
from edgevit.tasks import TASKS
from edgevit.tasks.task import Outputs
from edgevit.untrusted_files import is_keras, neither
from edgevit_runtime import Model, Resolution, read_manifest
from edgevit_runtime.preprocess.policy import DEFAULT_FILL, DEFAULT_POLICY
from edgevit_runtime.verify.integrity import file_sha256

if TYPE_CHECKING:
    from edgevit.model import ForeignModel, ViT

__all__ = ["Predictor", "ReorderedPredictor", "open_predictor", "told_by_artefacts"]

NAMED_BY = {"segment": "labels", "detect": "labels", "keypoints": "points"}
"""By dense task the field of the manifest's entry that names what is found."""


class Predictor(Protocol):
    """Something that answers a task."""

    path: Path
    classes: int
    """0 where it does not classify. One probability alone counts as two classes: not it, and it."""
    scores: str
    """What its scores are: a key of `edgevit.config.SCORES`."""
    threshold: float | None
    """Where it answers none of the classes below a score."""
    labels: tuple[str, ...]
    label_keys: tuple[str, ...]
    """What else folders of the classes may be called."""
    embeds: bool
    """Whether it was made to give vectors first of all."""
    dense_labels: Mapping[str, tuple[str, ...]]
    """By dense task that it answers what its classes are called, or of keypoints its points."""
    margin: float | None
    """Of keypoints: it looks at crops around boxes that have grown by this share; None: at whole pictures."""
    ignored: int | str | None
    """Of segment: the class, or the value, of masks that did not count in training; None: none that is known."""
    policy: str
    fill: tuple[int, int, int]
    resolutions: tuple[Resolution, ...]
    """Those it is evaluated at where nobody names others."""
    is_artefact: bool
    calibrated_on: frozenset[str]
    """Digests of the pictures that it was calibrated on, where that is known."""

    def check(self, task: str, resolution: Resolution) -> None:
        """Raises `ResolutionError` for a resolution that it cannot take, `EdgeViTError` for a task it has not."""

    def outputs(self, task: str, images: NDArray[np.uint8]) -> Outputs:
        """uint8 [batch, H, W, 3] -> each output of the task by name, [batch, ...]."""

    def described(self) -> dict[str, Any]:
        """What documents say of it, for `edgevit plan` to know it by."""

    def close(self) -> None:
        """Frees what it holds."""


class KerasPredictor:
    """A `.keras` model of ours: any resolution that its patch divides."""

    is_artefact = False
    threshold: float | None = None
    calibrated_on: frozenset[str] = frozenset()

    def __init__(self, path: Path, model: ViT) -> None:
        self.path, self._model = path, model
        config = self._model.config
        self.scores, self.classes = config.scores, _count(config.classes, config.scores)
        self.labels, self.label_keys = (_labels_of(config.classes, each) for each in (config.labels, config.label_keys))
        self.embeds = config.has_vector
        self.dense_labels: Mapping[str, tuple[str, ...]] = {head.task: head.labels for head in config.dense_heads}
        points = config.dense_head("keypoints")
        self.margin = points.margin if points else None
        masks = config.dense_head("segment")
        self.ignored = masks.ignored if masks else None
        self.policy, self.fill = config.resize, config.fill
        self.resolutions = config.ladder or (config.base_resolution,)

    def check(self, task: str, resolution: Resolution) -> None:
        self._model.config.grid(resolution)
        try:
            TASKS[task].of(self._model.config, {})
        except ConfigError as error:  # of several models it has to be said which
            raise ConfigError(f"{self.path}: {error}") from error

    def outputs(self, task: str, images: NDArray[np.uint8]) -> Outputs:
        # Called, not `predict`ed: Keras would trace one graph for all resolutions, and a ViT needs to know its own.
        return _as_classes(self.scores, TASKS[task].of(self._model.config, {}).expected(self._model, images))

    def described(self) -> dict[str, Any]:
        config = self._model.config
        return {"variant": config.variant, "patch": config.patch, "recipe": "float32"}

    def close(self) -> None:
        """A Keras model needs no closing."""


class ForeignPredictor:
    """A `.keras` classifier that is not ours: its own resolution, or any that it runs at."""

    is_artefact = False
    embeds = False
    threshold: float | None = None
    calibrated_on: frozenset[str] = frozenset()

    def __init__(self, path: Path, model: ForeignModel) -> None:
        self.path, self._model = path, model
        self.scores, self.classes = model.head.scores, _count(model.classes, model.head.scores)
        self.labels: tuple[str, ...] = ()
        self.label_keys: tuple[str, ...] = ()
        self.dense_labels: Mapping[str, tuple[str, ...]] = {}
        self.margin: float | None = None
        self.ignored: int | str | None = None
        self.policy, self.fill = DEFAULT_POLICY, DEFAULT_FILL
        self.resolutions: tuple[Resolution, ...] = () if model.resolution is None else (model.resolution,)

    def check(self, task: str, resolution: Resolution) -> None:
        if task != "classify":
            raise ConfigError(f"{self.path} is not edgevit's own model: it can be asked to classify alone, not {task}")
        self._model.at(resolution)

    def outputs(self, task: str, images: NDArray[np.uint8]) -> Outputs:
        return _as_classes(self.scores, {"scores": self._model.scores(images)})

    def described(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """A Keras model needs no closing."""


class ArtefactPredictor:
    """A `.tflite` artefact, through the runtime that a device uses."""

    is_artefact = True

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self._model = Model(path, threads=threads)
        manifest = self._model.manifest
        classify: Any = manifest.tasks.get("classify")
        classes: int = classify.classes if classify else 0
        self.scores: str = classify.scores if classify else "softmax"
        self.classes = _count(classes, self.scores)
        self.labels: tuple[str, ...] = _labels_of(classes, classify.labels if classify else ())
        self.label_keys: tuple[str, ...] = _labels_of(classes, classify.label_keys if classify else ())
        self.threshold: float | None = classify.threshold if classify else None
        self.embeds = manifest.single_tasks[0] == "embed"
        entries = manifest.raw["tasks"]
        self.dense_labels: Mapping[str, tuple[str, ...]] = {
            task: tuple(map(str, entries[task][field])) for task, field in NAMED_BY.items() if task in entries
        }
        self.margin: float | None = entries.get("keypoints", {}).get("margin")
        self.ignored: int | str | None = None  # a device has no use for it
        self.policy, self.fill = manifest.signatures[0].preprocessing
        self.resolutions = manifest.resolutions
        digests = (manifest.raw.get("calibration") or {}).get("digests")
        self.calibrated_on = frozenset(map(str, digests if isinstance(digests, list) else ()))

    def check(self, task: str, resolution: Resolution) -> None:
        self._model.manifest.signature(resolution, task)

    def outputs(self, task: str, images: NDArray[np.uint8]) -> Outputs:
        answers = [self._model.outputs(image, task) for image in images]
        found = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]}
        return _as_classes(self.scores, found)

    def described(self) -> dict[str, Any]:
        """And the digest that tells it from others of its name."""
        manifest = self._model.manifest
        return {
            "variant": manifest.variant,
            "patch": manifest.patch,
            "recipe": manifest.recipe,
            "sha256": file_sha256(self.path),
        }

    def close(self) -> None:
        self._model.close()


class ReorderedPredictor:
    """Another classifier, its classes in the order of `order`: the index of each among its own."""

    def __init__(self, predictor: Predictor, order: Sequence[int]) -> None:
        self._predictor, self._order = predictor, list(order)
        self.path, self.classes, self.scores = predictor.path, predictor.classes, predictor.scores
        self.labels = tuple(predictor.labels[index] for index in order)
        self.label_keys = tuple(predictor.label_keys[index] for index in order) if predictor.label_keys else ()
        self.policy, self.fill, self.resolutions = predictor.policy, predictor.fill, predictor.resolutions
        self.is_artefact, self.calibrated_on = predictor.is_artefact, predictor.calibrated_on
        self.threshold, self.dense_labels = predictor.threshold, predictor.dense_labels
        self.margin, self.ignored, self.embeds = predictor.margin, predictor.ignored, predictor.embeds

    def check(self, task: str, resolution: Resolution) -> None:
        self._predictor.check(task, resolution)

    def outputs(self, task: str, images: NDArray[np.uint8]) -> Outputs:
        return {name: each[..., self._order] for name, each in self._predictor.outputs(task, images).items()}

    def described(self) -> dict[str, Any]:
        return self._predictor.described()

    def close(self) -> None:
        self._predictor.close()


def open_predictor(
    path: str | Path,
    *,
    threads: int = 1,
    told: Told = NOTHING_TOLD,
    otherwise: Told = NOTHING_TOLD,
    modules: Sequence[str] = (),
) -> Predictor:
    """By file type. Raises `ModelError` for a file that is neither `.keras` nor `.tflite`.

    told, otherwise, modules: of a `.keras` model that is not ours (`edgevit.model.load_any`).
    """
    path = Path(path)
    if path.suffix == ".tflite":
        return ArtefactPredictor(path, threads)
    if is_keras(path):
        from edgevit.model import ViT, load_any

        model = load_any(path, told, otherwise=otherwise, modules=modules)
        return KerasPredictor(path, model) if isinstance(model, ViT) else ForeignPredictor(path, model)
    raise neither(path)


def told_by_artefacts(*paths: str | Path | None) -> Told:
    """What the model wants and gives that an artefact among `paths` was made from, where that is not one of ours."""
    for path in paths:
        if path is not None and Path(path).suffix == ".tflite" and Path(path).is_file():
            manifest = read_manifest(path).raw
            pixels = manifest["model"]["config"].get("pixels")
            if pixels is not None:
                return Told(str(pixels), manifest["tasks"].get("classify", {}).get("scores"))
    return NOTHING_TOLD


def _count(classes: int, scores: str) -> int:
    return 2 if (classes, scores) == (1, "sigmoid") else classes


def _labels_of(classes: int, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Of one probability there are no names for both of its classes: then folders count in the order of theirs."""
    return () if classes == 1 else labels


def _as_classes(scores: str, outputs: Outputs) -> Outputs:
    """One probability p, [batch, 1], as those of two classes, 1 - p and p."""
    values = outputs.get("scores")
    if scores != "sigmoid" or values is None or values.shape[-1] != 1:
        return outputs
    return {**outputs, "scores": np.concatenate([1.0 - values, values], axis=-1)}
