"""Accuracy at each resolution, of a model or an artefact, alone or against another on the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevit.data.folders import PictureSet, decode_batches, read_folder
from edgevit.errors import ConfigError, DataError, ModelError
from edgevit.statistics import margin, paired_interval
from edgevit_runtime import Model, read_manifest
from edgevit_runtime.preprocess.policy import DEFAULT_POLICY
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution, as_resolutions
from edgevit_runtime.verify.integrity import file_sha256

if TYPE_CHECKING:
    from edgevit.model import ForeignModel, ViT

Scores = NDArray[np.float32]
OnPicture = Callable[[int, int], None]
"""Told (pictures done, pictures in all), over all resolutions."""

BATCH = 32
"""Pictures decoded and scored together."""


class Classifier(Protocol):
    """What can be evaluated: a Keras model or an artefact."""

    path: Path
    classes: int
    labels: tuple[str, ...]
    label_keys: tuple[str, ...]
    """What else folders of the classes may be called."""
    resize: str
    resolutions: tuple[Resolution, ...]
    """Those it is evaluated at where nobody names others."""

    def check(self, resolution: Resolution) -> None:
        """Raises `ResolutionError` for a resolution that it cannot take."""

    def scores(self, images: NDArray[np.uint8]) -> Scores:
        """uint8 [batch, R, R, 3] -> [batch, classes], the larger the surer."""

    def close(self) -> None:
        """Frees what it holds."""


class KerasClassifier:
    """A `.keras` model of ours: any resolution that its patch divides."""

    def __init__(self, path: Path, model: ViT) -> None:
        self.path, self._model = path, model
        config = self._model.config
        self.classes, self.labels, self.resize = config.classes, config.labels, config.resize
        self.label_keys = config.label_keys
        self.variant, self.patch, self.recipe = config.variant, config.patch, "float32"
        self.resolutions = config.ladder or (config.base_resolution,)

    def check(self, resolution: Resolution) -> None:
        self._model.config.grid(resolution)

    def scores(self, images: NDArray[np.uint8]) -> Scores:
        # Called, not `predict`ed: Keras would trace one graph for all resolutions, and a ViT needs to know its own.
        return np.asarray(self._model(images, training=False), np.float32)

    def close(self) -> None:
        """A Keras model needs no closing."""


class ForeignClassifier:
    """A `.keras` model that is not ours: its own resolution, or any that it runs at."""

    labels: tuple[str, ...] = ()
    label_keys: tuple[str, ...] = ()
    resize = DEFAULT_POLICY

    def __init__(self, path: Path, model: ForeignModel) -> None:
        self.path, self._model = path, model
        self.classes = model.classes
        self.resolutions: tuple[Resolution, ...] = () if model.resolution is None else (model.resolution,)

    def check(self, resolution: Resolution) -> None:
        self._model.at(resolution)

    def scores(self, images: NDArray[np.uint8]) -> Scores:
        return self._model.scores(images)

    def close(self) -> None:
        """A Keras model needs no closing."""


class ArtefactClassifier:
    """A `.tflite` artefact, through the runtime that a device uses."""

    def __init__(self, path: Path, threads: int) -> None:
        self.path = path
        self._model = Model(path, threads=threads)
        manifest = self._model.manifest
        self.classes, self.labels, self.resize = manifest.classes, manifest.labels, manifest.resize
        self.label_keys = manifest.label_keys
        self.variant, self.patch, self.recipe = manifest.variant, manifest.patch, manifest.recipe
        self.resolutions = tuple(map(as_resolution, manifest.resolutions))

    def check(self, resolution: Resolution) -> None:
        self._model.manifest.signature(resolution.width)

    def scores(self, images: NDArray[np.uint8]) -> Scores:
        return np.stack([self._model.outputs(image)["scores"] for image in images])

    def close(self) -> None:
        self._model.close()


def open_classifier(
    path: str | Path, *, threads: int = 1, pixels: str | None = None, otherwise: str | None = None
) -> Classifier:
    """A classifier by file type. Raises `ModelError` for a file that is neither `.keras` nor `.tflite`.

    pixels, otherwise: what a `.keras` model that is not ours wants (`edgevit.model.load_any`).
    """
    path = Path(path)
    if path.suffix == ".keras":
        from edgevit.model import ViT, load_any

        model = load_any(path, pixels=pixels, otherwise=otherwise)
        return KerasClassifier(path, model) if isinstance(model, ViT) else ForeignClassifier(path, model)
    if path.suffix == ".tflite":
        return ArtefactClassifier(path, threads)
    raise ModelError(f"{path} is neither a .keras model nor a .tflite artefact")


def _pixels_known(*paths: str | Path | None) -> str | None:
    """What pixels the model wants that an artefact among `paths` was made from, where that is not one of ours."""
    for path in paths:
        if path is not None and Path(path).suffix == ".tflite" and Path(path).is_file():
            pixels = read_manifest(path).raw["model"]["config"].get("pixels")
            if pixels is not None:
                return str(pixels)
    return None


def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    against: str | Path | Sequence[str | Path] | None = None,
    resolutions: Sequence[ResolutionLike] = (),
    resize: str | None = None,
    pixels: str | None = None,
    threads: int = 1,
    limit: int | None = None,
    strict: bool = False,
    on_picture: OnPicture = lambda _done, _total: None,
) -> dict[str, Any]:
    """The `edgevit.evaluation/1` document: top-1 and top-5 (fractions, 0 to 1) at each resolution.

    against: a second model or several, shown the very same pixels; `agreement` is the share of pictures on which one
        names the same class as the first, `drop` the first's top-1 less its own, from `drop_low` to `drop_high` (the
        paired 95 % interval). The second stands under `against`, those after it under `also_against`.
    resolutions: where empty, those of the first model (and of the others that are artefacts).
    resize: a preprocessing policy; None takes the first model's own.
    pixels: what a `.keras` model that is not ours wants, where neither it nor an artefact beside it says so.
    limit: use only that many pictures, spread evenly over the set.
    strict: raise `PictureError` on a picture that cannot be read, instead of counting it as skipped.

    Raises `ModelError` or `ArtefactError` for a model that cannot be read, `BackendError` where no interpreter runs an
    artefact, `ResolutionError` for a resolution that one of them does not have, `DataError` for a folder without usable
    pictures or with classes that the first model does not know, `PictureError` also for an unknown policy, and
    `ConfigError` for models with different classes, without a resolution in common, or named twice.
    """
    wanted = as_resolutions(resolutions)
    others = [against] if isinstance(against, str | Path) else list(against or ())
    twice = [str(each) for each in others if [Path(other) for other in others].count(Path(each)) > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice: evaluate against each model once")
    known = _pixels_known(model, *others)
    with ExitStack() as opened:
        classifiers = [
            opened.enter_context(closing(open_classifier(each, threads=threads, pixels=pixels, otherwise=known)))
            for each in (model, *others)
        ]
        first = classifiers[0]
        for other in classifiers[1:]:
            if other.classes != first.classes:
                raise ConfigError(f"{first.path} has {first.classes} classes and {other.path} {other.classes}")
        ladder = _resolutions(classifiers, wanted)
        pictures = _pictures(Path(data), first, limit)

        tallies = [[_Tally() for _ in ladder] for _ in classifiers]
        skipped: set[Path] = set()
        pairs = [[_Pair() for _ in ladder] for _ in others]
        done, total = 0, len(ladder) * len(pictures.files)
        for column, resolution in enumerate(ladder):
            batches = decode_batches(
                pictures,
                resolution,
                resize or first.resize,
                BATCH,
                strict=strict,
                on_skip=lambda file, _error: skipped.add(file),
            )
            for images, truths in batches:
                votes = [
                    row[column].add(each.scores(images), truths) for each, row in zip(classifiers, tallies, strict=True)
                ]
                for row, theirs in zip(pairs, votes[1:], strict=True):
                    row[column].add(votes[0], theirs, truths)
                done += len(images)
                on_picture(done + column * len(skipped), total)
    counted = tallies[0][0].count
    if not counted:
        raise DataError(f"none of the {len(pictures.files)} pictures in {data} can be read")

    document: dict[str, Any] = {
        "schema": "edgevit.evaluation/1",
        "model": str(model),
        **_shape(first),
        "data": str(data),
        "images": counted,
        "skipped": len(skipped),
        "skipped_files": sorted(str(file) for file in skipped),
        "resize": resize or first.resize,
        "results": [
            {"resolution": resolution.to_json(), **tally.to_dict()}
            for resolution, tally in zip(ladder, tallies[0], strict=True)
        ],
    }
    beside = [
        {
            "model": str(each),
            **_shape(classifier),
            "results": [
                {"resolution": resolution.to_json(), **tally.to_dict(), **pair.to_dict(counted)}
                for resolution, tally, pair in zip(ladder, row, paired, strict=True)
            ],
        }
        for each, classifier, row, paired in zip(others, classifiers[1:], tallies[1:], pairs, strict=True)
    ]
    if beside:
        document["against"] = beside[0]
    if beside[1:]:
        document["also_against"] = beside[1:]
    return document


def _shape(classifier: Classifier) -> dict[str, Any]:
    """What `edgevit plan` predicts a model's latency by, where nobody profiled it; nothing for a model of others.

    And of an artefact the digest that tells it from others of its name.
    """
    if not isinstance(classifier, KerasClassifier | ArtefactClassifier):
        return {}
    shape = {"variant": classifier.variant, "patch": classifier.patch, "recipe": classifier.recipe}
    return {**shape, "sha256": file_sha256(classifier.path)} if isinstance(classifier, ArtefactClassifier) else shape


class _Tally:
    """Counts the hits of one model at one resolution."""

    def __init__(self) -> None:
        self.count = self.top1 = self.top5 = 0

    def add(self, scores: Scores, truths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Counts a batch, [batch, classes] and [batch]; returns the classes voted for, [batch]."""
        best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        self.count += len(truths)
        self.top1 += int((best[:, 0] == truths).sum())
        self.top5 += int((best == truths[:, None]).any(axis=1).sum())
        return best[:, 0]

    def to_dict(self) -> dict[str, float]:
        top1 = self.top1 / self.count
        return {"top1": top1, "top1_margin": margin(top1, self.count), "top5": self.top5 / self.count}


class _Pair:
    """Counts on how many pictures the first model and another name the same class, and where only one is right."""

    def __init__(self) -> None:
        self.same = self.only_first = self.only_this = 0

    def add(self, first: NDArray[np.int64], this: NDArray[np.int64], truths: NDArray[np.int64]) -> None:
        """Counts a batch: the classes that each voted for and the true ones, [batch]."""
        self.same += int((first == this).sum())
        self.only_first += int(((first == truths) & (this != truths)).sum())
        self.only_this += int(((this == truths) & (first != truths)).sum())

    def to_dict(self, count: int) -> dict[str, float]:
        low, high = paired_interval(self.only_first, self.only_this, count)
        return {
            "agreement": self.same / count,
            "only_first_right": self.only_first,
            "only_this_right": self.only_this,
            "drop": (self.only_first - self.only_this) / count,
            "drop_low": low,
            "drop_high": high,
        }


def _resolutions(classifiers: Sequence[Classifier], wanted: Sequence[Resolution]) -> tuple[Resolution, ...]:
    if wanted:
        for resolution in wanted:
            for classifier in classifiers:
                classifier.check(resolution)
        return tuple(sorted(set(wanted)))
    # A .keras model takes any resolution, so an artefact's ladder decides where there is one.
    ladders = [set(each.resolutions) for each in classifiers if isinstance(each, ArtefactClassifier)]
    common = set.intersection(*ladders) if ladders else set(classifiers[0].resolutions)
    if not ladders and not common:
        raise ConfigError(f"{classifiers[0].path} takes pictures of any size: name some, --resolutions 128,224")
    if not common:
        named = " and ".join(str(each.path) for each in classifiers)
        raise ConfigError(f"{named} have no resolution in common")
    return tuple(sorted(common))


def _pictures(data: Path, classifier: Classifier, limit: int | None) -> PictureSet:
    pictures = read_folder(data, classifier.labels, classifier.label_keys)
    if max(pictures.classes) >= classifier.classes:
        raise DataError(
            f"{data} has a picture of class {max(pictures.classes)}, and the classes of {classifier.path} are numbered "
            f"from 0 to {classifier.classes - 1}"
        )
    if limit is None or limit >= len(pictures.files):
        return pictures
    return pictures.pick(np.linspace(0, len(pictures.files) - 1, limit).round().astype(int).tolist())
