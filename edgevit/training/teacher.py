"""Teachers: trained Keras classifiers that a student listens to (Touvron et al. 2021, https://arxiv.org/abs/2012.12877).

A teacher comes from a `.keras` file: an edgevit ViT, or any Keras classifier of RGB pictures that takes raw
pixels, 0 to 255, and gives logits or probabilities. Or it is a CNN of `keras.applications` by name, which gets a new
head and learns the same pictures first: CNNs need fewer pictures than ViTs, which is the point of listening to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from edgevit.data.class_names import class_order
from edgevit.errors import ConfigError, ModelError, unknown_key
from edgevit.model import ViT
from edgevit.training.batches import MixedBatches
from edgevit.training.examples import Colour, Examples
from edgevit.training.held_out import HeldOut
from edgevit.training.optimizer import schedule
from edgevit.training.spec import TrainSpec
from edgevit_runtime.preprocess.policy import DEFAULT_FILL
from edgevit_runtime.resolution import Resolution

PROBE = Resolution(224)


@dataclass(frozen=True)
class Cnn:
    """A network of `keras.applications`. `scaled`: it wants pixels in -1..1; the others scale raw pixels themselves."""

    scaled: bool
    source: str


CNNS: dict[str, Cnn] = {
    "MobileNetV2": Cnn(True, "Sandler et al. 2018, https://arxiv.org/abs/1801.04381"),
    "MobileNetV3Small": Cnn(False, "Howard et al. 2019, https://arxiv.org/abs/1905.02244"),
    "MobileNetV3Large": Cnn(False, "Howard et al. 2019, https://arxiv.org/abs/1905.02244"),
    "EfficientNetB0": Cnn(False, "Tan and Le 2019, https://arxiv.org/abs/1905.11946"),
    "EfficientNetV2B0": Cnn(False, "Tan and Le 2021, https://arxiv.org/abs/2104.00298"),
    "ResNet50V2": Cnn(True, "He et al. 2016, https://arxiv.org/abs/1603.05027"),
    "ConvNeXtTiny": Cnn(False, "Liu et al. 2022, https://arxiv.org/abs/2201.03545"),
}


class Teacher:
    """[batch, H, W, 3] raw pixels -> logits [batch, classes], in inference mode; any size without a `resolution`."""

    def __init__(
        self,
        model: Any,
        *,
        resolution: Resolution | None,
        probabilities: bool,
        order: Sequence[int] | None = None,
        named: bool = True,
    ) -> None:
        """order: for each class of the student the index that it has here; None: the same. named: it has names."""
        self.model, self.resolution, self._probabilities = model, resolution, probabilities
        self._order, self.named = order, named

    def logits(self, images: Any) -> Any:
        outputs = ops.cast(self.model(images, training=False), "float32")
        if self._order is not None:
            outputs = ops.take(outputs, self._order, axis=-1)
        return ops.log(ops.maximum(outputs, 1e-7)) if self._probabilities else outputs

    def top1(
        self,
        examples: Examples,
        resolution: Resolution,
        policy: str,
        fill: Colour = DEFAULT_FILL,
        *,
        strict: bool = True,
    ) -> float:
        """Accuracy on all examples, a fraction, at `resolution` or the only one it takes; strict: see `HeldOut`."""
        validation = HeldOut(examples, policy, fill, strict=strict)
        answers = validation.ask(
            lambda images: np.asarray(self.logits(images.astype(np.float32))), self.resolution or resolution
        )
        return answers.top1


def open_teacher(path: Path, classes: int, labels: tuple[str, ...]) -> Teacher:
    """The classifier in a `.keras` file, its classes matched to `labels` by name where it has names.

    Raises `ModelError` for what is none, `ConfigError` for other classes.
    """
    if not path.is_file():
        raise ModelError(f"no such teacher: {path}")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the damage meets first
        raise ModelError(f"the teacher {path} is damaged or is not a Keras model: {error!s:.200}") from error
    known: tuple[str, ...] = model.config.labels if isinstance(model, ViT) else ()
    if known and labels and set(known) != set(labels):
        raise ConfigError(f"the teacher {path} knows other classes: {_difference(known, labels)}")
    order = class_order(labels, known, "the pictures", f"the teacher {path}")
    resolution = _resolution(model)
    probe = resolution or PROBE
    pixels = np.random.default_rng(0).uniform(0, 255, (4, probe.height, probe.width, 3))
    try:
        outputs = np.asarray(model(pixels.astype(np.float32), training=False), np.float32)
    except Exception as error:
        raise ModelError(f"the teacher {path} does not take RGB pictures: {error!s:.200}") from error
    if outputs.shape != (4, classes):
        raise ConfigError(
            f"the teacher {path} gives outputs of shape {outputs.shape[1:]}, and there are {classes} classes"
        )
    probabilities = bool((outputs >= 0).all() and np.allclose(outputs.sum(-1), 1.0, atol=1e-3))
    named = bool(known) or not labels
    return Teacher(model, resolution=resolution, probabilities=probabilities, order=order, named=named)


def _resolution(model: Any) -> Resolution | None:
    """The one picture size that a model takes; None where it takes any."""
    if isinstance(model, ViT):
        return None
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or not shape[1] or not shape[2]:
        return None
    return Resolution(int(shape[2]), int(shape[1]))


def _difference(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"class {index} is {one!r} there and {other!r} here"
    return f"{len(ours)} there and {len(theirs)} here"


def check_teacher(name: str, weights: str) -> None:
    """Finds what is wrong with what a user asked for, before any picture is read."""
    if name.endswith(".keras"):
        if not Path(name).is_file():
            raise ModelError(f"no such teacher: {name}")
        return
    if name not in CNNS:
        raise unknown_key("teacher", name, CNNS)
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise ConfigError(f"--teacher-weights is imagenet, none or a file, and there is no file {weights}")


def build_cnn(name: str, classes: int, weights: str, seed: int) -> keras.Model:
    """A network by name with a new head: raw pixels [batch, H, W, 3] of any size -> logits [batch, classes].

    weights: `imagenet` (which Keras downloads), `none`, or a weights file of the network without its top.
    Raises `ConfigError`.
    """
    check_teacher(name, weights)
    keras.utils.set_random_seed(seed)
    try:
        body = getattr(keras.applications, name)(
            include_top=False,
            pooling="avg",
            input_shape=(None, None, 3),
            weights=None if weights == "none" else weights,
        )
    except Exception as error:  # a refused connection, or a file of another network
        raise ConfigError(
            f"cannot get the weights {weights} of {name}: {error!s:.120}; "
            "--teacher-weights none trains it from scratch, or give a file"
        ) from error
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # the networks' own 0.999 would not have forgotten its start after 500 steps
    images = keras.Input((None, None, 3))
    pixels = keras.layers.Rescaling(1 / 127.5, -1.0)(images) if CNNS[name].scaled else images
    outputs = keras.layers.Dense(classes, name="logits")(body(pixels))
    return keras.Model(images, outputs, name=f"teacher_{name}")


class _Labelled(keras.utils.PyDataset):
    """A run's batches as Keras's `fit` takes them."""

    def __init__(self, batches: MixedBatches) -> None:
        super().__init__(workers=2, max_queue_size=4)
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Any:
        batch = self._batches[number]
        return batch.images.astype(np.float32), batch.targets


def train_cnn(
    model: keras.Model,
    examples: Examples,
    resolution: Resolution,
    spec: TrainSpec,
    *,
    on_step: Callable[[int, int, float], None] = lambda _done, _total, _loss: None,
) -> None:
    """Fits a network of `build_cnn` to the pictures that the student will see, at one resolution, by Keras's `fit`."""
    batches = MixedBatches(examples, (resolution,), resolution, spec, tall=False)
    total = len(batches)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(schedule(1e-3, total, warmup_share=0.05), weight_decay=0.05)
    optimizer.build(model.trainable_variables)  # `fit` would, in its first step, and then trace that step again
    model.compile(optimizer, loss)
    told = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda number, logs: on_step(number + 1, total, float(logs["loss"]))
    )
    model.fit(_Labelled(batches), epochs=1, shuffle=False, verbose=0, callbacks=[told])
