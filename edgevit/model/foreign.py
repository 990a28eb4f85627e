"""Keras picture classifiers that are not ours: what they are, and how they are asked.

One input, RGB pictures [batch, H, W, 3]; one output, [batch, classes]. The rest is found out here: what pixels
it wants, whether it gives logits or probabilities, and at which resolutions it runs.
"""

from __future__ import annotations

import importlib.util
import warnings
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ModelError, ResolutionError
from edgevit.model.vit import ViT, first_line, read_keras
from edgevit.pixels import GRAMMAR, RAW, PixelScaling, from_rescaling, parse_pixels
from edgevit_runtime.json_text import parse_json
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

PACKAGES = {"keras_hub": "pip install 'edgevit[keras-hub]'"}
"""How to get the packages whose layers a `.keras` file may name; others by `pip install`."""
NEUTRAL = ("Random", "CenterCrop", "Resizing", "Auto", "InputLayer", "Identity", "Dropout", "GaussianNoise")
"""Layers, by how their names begin, that leave pixels in their range."""
SUM_TOLERANCE = 1e-3
"""How far probabilities may be from a sum of 1."""


class ForeignModel:
    """A Keras classifier, ready to be asked for probabilities at a resolution.

    pixels: what it wants (`edgevit.pixels.parse_pixels`); None where the model itself says so.

    Raises `ModelError` where it is no picture classifier, or does not say what pixels it wants.
    """

    def __init__(self, model: keras.Model, pixels: str | None = None) -> None:
        self.model = model
        self.resolution = _own_resolution(model)
        """The one that it was built for; None where it takes any."""
        self.pixels = parse_pixels(pixels) if pixels is not None else _pixels_of(model)
        self._fit: dict[Resolution, keras.Model] = {}

    @property
    def name(self) -> str:
        return str(self.model.name)

    @property
    def classes(self) -> int:
        return int(self.model.output_shape[-1])

    @cached_property
    def gives_logits(self) -> bool:
        """Whether softmax is still to come: what it gives for test pictures is not positive with a sum of 1."""
        images = np.stack([_test_picture(seed, self._probe) for seed in (1, 2, 3)])
        raw = np.asarray(self.raw(images), np.float64)
        return bool((raw < 0.0).any() or (np.abs(raw.sum(axis=1) - 1.0) > SUM_TOLERANCE).any())

    @property
    def _probe(self) -> Resolution:
        return self.resolution or next(iter(self._fit), Resolution(224))

    def at(self, resolution: ResolutionLike) -> keras.Model:
        """A model that takes [batch, H, W, 3]. Raises `ResolutionError` where there is none with these weights."""
        resolution = as_resolution(resolution)
        if resolution not in self._fit:
            model = self.model if self.resolution in (None, resolution) else self._freed
            if model is None:
                raise self._refusal(resolution, "its layers have weights or shapes for that size")
            try:
                model(np.zeros((1, resolution.height, resolution.width, 3), np.float32), training=False)
            except Exception as error:  # Keras raises whatever the first layer that does not fit does
                raise self._refusal(resolution, first_line(error)) from error
            self._fit[resolution] = model
        return self._fit[resolution]

    def _refusal(self, resolution: Resolution, why: str) -> ResolutionError:
        own = f"its own is {self.resolution}; " if self.resolution else ""
        return ResolutionError(f"{self.name} does not run at resolution {resolution} ({own}{why})")

    @cached_property
    def _freed(self) -> keras.Model | None:
        """The same layers and weights, for any size of pictures; None where they cannot be rebuilt so."""
        assert self.resolution is not None
        try:
            with warnings.catch_warnings():  # that compile() was not called on the copy
                warnings.simplefilter("ignore")
                whole = keras.saving.serialize_keras_object(self.model)
                free = keras.saving.deserialize_keras_object(_without_size(whole))
            if free.input_shape[1:3] != (None, None):
                return None
            free.set_weights(self.model.get_weights())
            image = _test_picture(1, self.resolution)[None].astype(np.float32)
            same = np.allclose(free(image, training=False), self.model(image, training=False), rtol=1e-3, atol=1e-5)
        except Exception:
            return None
        return free if same else None

    def raw(self, images: NDArray[np.uint8]) -> Any:
        """uint8 [batch, H, W, 3] -> what the model gives, [batch, classes]."""
        values = images.astype(np.float32)
        if self.pixels.reversed_channels:
            values = values[..., ::-1]
        values = values * np.asarray(self.pixels.scale, np.float32) + np.asarray(self.pixels.offset, np.float32)
        return self.at(Resolution(images.shape[2], images.shape[1]))(values, training=False)

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [batch, H, W, 3] -> probabilities [batch, classes]."""
        raw = self.raw(images)
        return np.asarray(keras.ops.softmax(raw) if self.gives_logits else raw, np.float32)


def load_any(path: str | Path, *, pixels: str | None = None, otherwise: str | None = None) -> ViT | ForeignModel:
    """Reads a `.keras` file with a picture classifier: ours, or another. Raises `ModelError`.

    pixels: what another wants; ours takes raw ones. `otherwise`: the same, where it may be one of ours.
    """
    path = Path(path)
    _check_layers(path)
    model = read_keras(path)
    if not isinstance(model, ViT):
        try:
            return ForeignModel(model, pixels or otherwise)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
    if pixels is not None:
        raise ModelError(f"{path} is an edgevit model and takes raw pixels; leave --pixels out")
    return model


def _check_layers(path: Path) -> None:
    """Names the package that a file's layers need, or a layer that would bring code along, before Keras stumbles."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = parse_json(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return  # `read_keras` says what is wrong
    for each in _objects(config):
        package = str(each.get("module") or "").partition(".")[0]
        if each["class_name"] == "Lambda":
            raise ModelError(
                f"{path} has a Lambda layer: Python code in the file, which edgevit does not run; "
                "write it with Keras's own layers and save the model again"
            )
        if package not in ("", "builtins", "edgevit") and importlib.util.find_spec(package) is None:
            install = PACKAGES.get(package, f"pip install the package that has {each['class_name']}")
            raise ModelError(f"{path} needs the Python package {package}, which is not installed: {install}")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every Keras object in a config, outermost first."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for each in value.values():
            yield from _objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each)


def _own_resolution(model: keras.Model) -> Resolution | None:
    """The resolution that the model was built for, None where any. Raises `ModelError` for another kind of model."""
    taken, given = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not isinstance(taken, tuple) or not isinstance(given, tuple):
        raise ModelError(
            f"{model.name} is no functional or sequential Keras model with one input and one output "
            f"(input {taken}, output {given})"
        )
    if len(taken) != 4 or taken[3] != 3 or (taken[1] is None) != (taken[2] is None):
        raise ModelError(f"{model.name} takes {list(taken)}, not RGB pictures [batch, height, width, 3]")
    if len(given) != 2 or given[1] is None or given[1] < 2:
        raise ModelError(f"{model.name} gives {list(given)}, not scores of two classes or more [batch, classes]")
    return None if taken[1] is None else Resolution(int(taken[2]), int(taken[1]))


def _test_picture(seed: int, resolution: Resolution) -> NDArray[np.uint8]:
    """The self-test's picture, cut to width x height: uint8 [H, W, 3]."""
    square = draw_picture(GENERATOR, seed, max(resolution.width, resolution.height))
    return square[: resolution.height, : resolution.width]


def _pixels_of(model: keras.Model) -> PixelScaling:
    """What the model says of its pixels. Raises `ModelError` where it says nothing."""
    converter = getattr(getattr(model, "preprocessor", None), "image_converter", None)
    if converter is not None:  # KerasHub keeps it beside the network
        scale, offset = getattr(converter, "scale", None), getattr(converter, "offset", None)
        three = [np.broadcast_to(np.ravel(start if each is None else each), 3).tolist()
                 for each, start in ((scale, 1.0), (offset, 0.0))]  # fmt: skip
        return from_rescaling(*three)
    first = next(_first_operations(model), None)
    kind = type(first).__name__
    if kind == "Rescaling" and 0.9 <= 255.0 * float(np.max(np.abs(first.scale))) <= 2.1:  # type: ignore[union-attr]
        return RAW
    if kind == "Normalization" and float(np.max(np.asarray(first.mean))) > 2.0:  # type: ignore[union-attr]
        return RAW
    raise ModelError(
        f"the model does not say what pixels it wants; name what it was trained with: --pixels {GRAMMAR} "
        "(of keras.applications: MobileNetV3 and EfficientNet 0..255, MobileNetV2 and Inception -1..1, DenseNet "
        "imagenet, ResNet and VGG caffe)"
    )


def _first_operations(model: keras.Model) -> Iterator[Any]:
    """The operations from the picture on, models within unfolded, without those that leave pixels as they are."""
    for each in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if isinstance(each, keras.Model) and hasattr(each, "layers") and len(each.layers):
            yield from _first_operations(each)
        elif not type(each).__name__.startswith(NEUTRAL):
            yield each


def _without_size(value: Any) -> Any:
    """A serialized model whose inputs have lost their height and width, so that each layer is built for any."""
    if isinstance(value, list):
        return [_without_size(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _without_size(each) for name, each in value.items() if name != "build_config"}
    kind = value.get("class_name")
    if kind == "InputLayer":
        batch, _, _, channels = value["config"]["batch_shape"]
        kept["config"]["batch_shape"] = [batch, None, None, channels]
    return kept
