"""Keras picture classifiers that are not ours: what they are, and how they are asked.

One input, RGB pictures [batch, H, W, 3]; one output, [batch, classes]. The rest is found out here: what pixels
it wants, whether it gives logits or probabilities, and at which resolutions it runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgevit.errors import ModelError, ResolutionError
from edgevit.foreign_config import NOTHING_TOLD, Told
from edgevit.image_text_config import needs_labels
from edgevit.model.foreign_head import ForeignHead, head_of, last_activation, seen
from edgevit.model.image_text import ImageText
from edgevit.model.keras_file import compiled_loss, first_line, import_modules, read_keras
from edgevit.model.vit import ViT
from edgevit.pixels import GRAMMAR, RAW, PixelScaling, from_rescaling, parse_pixels
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

NEUTRAL = ("Random", "CenterCrop", "Resizing", "Auto", "InputLayer", "Identity", "Dropout", "GaussianNoise")
"""Layers, by how their names begin, that leave pixels in their range."""
HALVES = ("float16", "bfloat16")


class ForeignModel:
    """A Keras classifier, ready to be asked for scores at a resolution.

    pixels: what it wants (`edgevit.pixels.parse_pixels`); None where the model itself says so.
    head: what its scores are (`edgevit.config.head_scores`); None where the model itself says so.
    otherwise: both, for where neither says so.

    Raises `ModelError` where it is no picture classifier, or does not say what pixels it wants.
    """

    def __init__(
        self, model: keras.Model, pixels: str | None = None, head: str | None = None, *, otherwise: Told = NOTHING_TOLD
    ) -> None:
        self.resolution = _own_resolution(model)
        """The one that it was built for; None where it takes any."""
        self._notes: list[str] = []
        self.pixels = _pixels_of(model, pixels, otherwise.pixels)
        self.model, halved = _in_float32(model)
        if halved:
            self._notes.append(f"{model.name} computes in {halved}: rebuilt in float32, with the same weights")
        self._notes += _resizing(model)
        self._asked = head, compiled_loss(model), otherwise.head
        self._fit: dict[Resolution, keras.Model] = {}

    @property
    def name(self) -> str:
        return str(self.model.name)

    @property
    def classes(self) -> int:
        return int(self.model.output_shape[-1])

    @cached_property
    def head(self) -> ForeignHead:
        """What its scores are, and what has to be made of its output. Raises `ModelError` where that is not known."""
        told = last_activation(self.model)
        if told is None:
            images = np.stack([_test_picture(seed, self._probe) for seed in (1, 2, 3)])
            told = seen(np.asarray(self.raw(images)))
        return head_of(self.name, self.classes, told, *self._asked)

    @property
    def notes(self) -> list[str]:
        """What was assumed or changed, for the user."""
        return [*self._notes, *([self.head.note] if self.head.note else [])]

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
        """uint8 [batch, H, W, 3] -> scores [batch, classes], of the kind that `head` says."""
        return self.head.apply(self.raw(images))


def load_any(
    path: str | Path, told: Told = NOTHING_TOLD, *, otherwise: Told = NOTHING_TOLD, modules: Sequence[str] = ()
) -> ViT | ForeignModel:
    """Reads a `.keras` file with a picture classifier: ours, or another. Raises `ModelError`, `ConfigError`.

    told: what another wants and gives; ours says it itself. `otherwise`: the same, where it may be one of ours.
    modules: Python modules that have layers of its own (`import_modules`).
    """
    path = Path(path)
    model = read_keras(path, import_modules(modules))
    if isinstance(model, ImageText):
        raise needs_labels(path)
    if not isinstance(model, ViT):
        try:
            found = ForeignModel(model, told.pixels, told.head, otherwise=otherwise)
            _ = found.head  # what is not known shows now
        except (ModelError, ResolutionError) as error:
            raise ModelError(f"{path}: {error}") from None
        return found
    if told.pixels is not None:
        raise ModelError(f"{path} is an edgevit model and takes raw pixels; leave --pixels out")
    if told.head is not None:
        raise ModelError(
            f"{path} is an edgevit model, whose scores are {model.config.scores}; leave --head out "
            "(`edgevit import` has it)"
        )
    return model


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
    if len(given) != 2 or given[1] is None or given[1] < 1:
        raise ModelError(f"{model.name} gives {list(given)}, not scores of classes [batch, classes]")
    return None if taken[1] is None else Resolution(int(taken[2]), int(taken[1]))


def _test_picture(seed: int, resolution: Resolution) -> NDArray[np.uint8]:
    """The self-test's picture, cut to width x height: uint8 [H, W, 3]."""
    square = draw_picture(GENERATOR, seed, max(resolution.width, resolution.height))
    return square[: resolution.height, : resolution.width]


def _pixels_of(model: keras.Model, asked: str | None, otherwise: str | None) -> PixelScaling:
    """What pixels the model wants. Raises `ModelError` where nobody says it."""
    if asked or otherwise:
        return parse_pixels(str(asked or otherwise))
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
    return (each for each in _operations(model) if not type(each).__name__.startswith(NEUTRAL))


def _operations(model: keras.Model) -> Iterator[Any]:
    """All operations from the picture on, models within unfolded."""
    for each in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if isinstance(each, keras.Model) and hasattr(each, "layers") and len(each.layers):
            yield from _operations(each)
        else:
            yield each


def _resizing(model: keras.Model) -> list[str]:
    """A note where the model brings pictures to a size of its own before it computes anything."""
    for each in _operations(model):
        kind = type(each).__name__
        if kind == "Resizing":
            size = Resolution(int(each.width), int(each.height))
            return [
                f"{model.name} begins with a Resizing to {size} px, whatever it is given: other resolutions cost the "
                "same and show it less; for a ladder save it without that layer"
            ]
        if not kind.startswith(NEUTRAL):
            break
    return []


def _in_float32(model: keras.Model) -> tuple[keras.Model, str | None]:
    """The model, rebuilt where it computes in half precision, and in which; None where it does not.

    Raises `ModelError` where it cannot be rebuilt.
    """
    kinds = {str(getattr(layer, "dtype_policy", None) and layer.compute_dtype) for layer in model._flatten_layers()}
    halves = [kind for kind in HALVES if kind in kinds]
    if not halves:
        return model, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rebuilt = keras.saving.deserialize_keras_object(_full(keras.saving.serialize_keras_object(model)))
        rebuilt.set_weights([np.asarray(each, np.float32) for each in model.get_weights()])
    except Exception as error:  # Keras raises whatever the first layer that does not fit does
        raise ModelError(
            f"{model.name} computes in {halves[0]} and cannot be rebuilt in float32 ({first_line(error)}): save it "
            "with the dtype policy float32"
        ) from error
    return rebuilt, halves[0]


def _full(value: Any) -> Any:
    """A serialized model whose layers compute in float32."""
    if isinstance(value, list):
        return [_full(each) for each in value]
    if isinstance(value, dict):
        return {name: _full(each) for name, each in value.items() if name != "build_config"}
    return "float32" if value in HALVES or value in [f"mixed_{half}" for half in HALVES] else value


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
