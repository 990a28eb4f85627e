"""What learns: the weights in training, their optimizer and average, and one compiled step for each picture size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from edgevit.errors import ConfigError
from edgevit.model import ViT, build, named_weights
from edgevit.training.batches import TrainingBatch
from edgevit.training.losses import cross_entropy, distillation, divergence, smooth, weigh
from edgevit.training.mixing import Mixing
from edgevit.training.optimizer import RANGES, make_optimizer, schedule
from edgevit.training.spec import TrainSpec
from edgevit_runtime.resolution import Resolution

HEADS = ("head/", "distillation_head/")


class TeacherLike(Protocol):
    """What distillation needs of a teacher (`edgevit.training.teacher`)."""

    resolution: Resolution | None

    def logits(self, images: Any) -> Any:
        """[batch, H, W, 3] in 0..255 -> [batch, classes]."""


class SimulationLike(Protocol):
    """What quantization-aware training needs of a fake-quantized model (`converters.quantize.fake_quantization`)."""

    variables: list[Any]

    def calibrate(self, batches: Iterable[Any]) -> None: ...
    def __call__(self, images: Any, training: bool = False) -> Any: ...


class Learner:
    """Trains a twin of `model`, which may compute in another precision; `model` itself gets what is to be kept.

    simulate: makes the twin's and the model's fake-quantized forms, where training is quantization-aware.
    strategy: shares each batch out among several GPUs (tf.distribute.MirroredStrategy); None for one device.
    """

    def __init__(
        self,
        model: ViT,
        spec: TrainSpec,
        total_steps: int,
        *,
        weights: NDArray[np.float32] | None = None,
        teacher: TeacherLike | None = None,
        simulate: Any = None,
        strategy: Any = None,
    ) -> None:
        if simulate is not None and spec.precision != "float32":
            raise ConfigError(
                f"quantization-aware training computes in float32; leave --precision {spec.precision} out"
            )
        self.model, self.spec, self._teacher = model, spec, teacher
        self._strategy = strategy or tf.distribute.get_strategy()
        self.replicas = int(self._strategy.num_replicas_in_sync)
        if spec.batch % self.replicas:
            raise ConfigError(f"--batch {spec.batch} cannot be shared out among {self.replicas} GPUs evenly")
        with self._strategy.scope():
            self._build(total_steps, simulate)
        self._class_weights = None if weights is None else tf.constant(weights)
        self._steps: dict[tuple[Resolution, Resolution], Any] = {}
        self._forwards: dict[Resolution, Any] = {}

    def _build(self, total_steps: int, simulate: Any) -> None:
        """Makes the variables; under a strategy, on each device."""
        model, spec = self.model, self.spec
        with _precision(spec.precision):
            self.twin = build(model.config, seed=spec.seed)
        _copy(named_weights(model), named_weights(self.twin))
        self._simulation: SimulationLike | None = simulate(self.twin) if simulate else None
        self.kept_simulation: Any = simulate(model) if simulate else None
        learning = named_weights(self.twin)
        if spec.freeze:
            learning = {name: each for name, each in learning.items() if name.startswith(HEADS)}
        if self._simulation is not None:
            learning |= {f"{RANGES}{index}": each for index, each in enumerate(self._simulation.variables)}
        self._learning = learning
        self._schedule = schedule(spec.learning_rate, total_steps, spec.warmup_share)
        scaling = spec.precision == "mixed_float16"
        self.optimizer = make_optimizer(model.config, learning, spec, total_steps, loss_scaling=scaling)
        self._mixing = Mixing(spec)
        one_for_all = tf.VariableAggregation.ONLY_FIRST_REPLICA  # all replicas compute the same average
        self._average = {
            name: tf.Variable(each.value, aggregation=one_for_all) for name, each in learning.items() if spec.ema
        }

    def calibrate(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Sets the ranges that quantization-aware training starts from: pictures [batch, H, W, 3], of any size."""
        if self._simulation is not None:
            self._simulation.calibrate(pictures)
            _copy({name: self._learning[name] for name in self._average}, self._average)

    def step(self, batch: TrainingBatch) -> float:
        """One step on a batch; the loss."""
        key = batch.size, batch.resolution
        if key not in self._steps:
            self._steps[key] = self._compile(batch.resolution)
        return float(self._steps[key](self._shared_out(batch.images), self._shared_out(batch.classes)))

    def _shared_out(self, values: NDArray[Any]) -> Any:
        """A tensor, or under a strategy a part of it for each replica."""
        if self.replicas == 1:
            return tf.constant(values)
        parts = np.split(values, self.replicas)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def keep(self) -> None:
        """Gives `model` the weights that are to be validated and saved: the average, where there is one."""
        _copy(named_weights(self.twin), named_weights(self.model))
        source = self._average or self._learning
        ours = named_weights(self.model)
        _copy({name: each for name, each in source.items() if name in ours}, ours)
        if self.kept_simulation is not None:
            for index, each in enumerate(self.kept_simulation.variables):
                each.assign(source[f"{RANGES}{index}"])

    def keep_ranges(self) -> None:
        """Gives `model` the ranges that quantization-aware training learned, for `convert`."""
        if self.kept_simulation is not None:
            self.model.calibration = self.kept_simulation.calibration()

    @property
    def learning_rate(self) -> float:
        """The schedule's rate of the last step, or of the first before there was one."""
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return float(self._schedule(max(0, int(inner.iterations) - 1)))

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What `model` (fake-quantized, where training is) gives: [batch, H, W, 3] -> [batch, classes]."""
        size = _size(images)
        if size not in self._forwards:
            self._forwards[size] = _forward(self.kept_simulation or self.model)
        found: NDArray[np.float32] = np.asarray(self._forwards[size](tf.constant(images)))
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that decides the steps to come, by name: weights, moments, averages, random states."""
        return {name: np.asarray(each) for name, each in self._variables().items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Sets what `arrays` gave. Raises `ConfigError` when they belong to another kind of run."""
        variables = self._variables()
        if set(variables) != set(arrays) or any(tuple(variables[name].shape) != arrays[name].shape for name in arrays):
            raise ConfigError("the state of the unfinished run does not fit this model; --restart begins anew")
        for name, each in variables.items():
            each.assign(arrays[name])

    def _variables(self) -> dict[str, Any]:
        groups = {
            "weight": list(self.twin.variables),  # with the random states of stochastic depth
            "range": self._simulation.variables if self._simulation else [],
            "optimizer": self.optimizer.variables,
            "average": list(self._average.values()),
            "mixing": self._mixing.variables,
        }
        return {f"{group}/{index}": each for group, members in groups.items() for index, each in enumerate(members)}

    def _compile(self, resolution: Resolution) -> Any:
        """One step: what prepares the batch, then what learns, which XLA compiles where that is faster."""

        def prepare(images: Any, classes: Any) -> tuple[Any, Any, dict[str, Any]]:
            pixels = ops.cast(images, "float32")
            targets = ops.one_hot(classes, self.model.config.classes)
            pixels, targets = self._mixing(pixels, targets)
            if self._class_weights is not None:
                targets = weigh(targets, self._class_weights)
            beside = {}  # what others look at, or say of, the same pictures
            if self._teacher is not None:
                size = self._teacher.resolution or _size(pixels)
                beside["teacher"] = tf.stop_gradient(self._teacher.logits(_resize(pixels, size)))
            if self.spec.self_distillation and _size(pixels) != resolution:
                beside["tall"] = pixels
            return _resize(pixels, resolution), smooth(targets, self.spec.label_smoothing), beside

        # Replicas add their gradients up in the step, which a function inside a function may not do.
        learn = self._learn if self.replicas > 1 else tf.function(self._learn, jit_compile=self._jit)

        def local(images: Any, classes: Any) -> Any:
            return learn(*prepare(images, classes))

        @tf.function  # type: ignore[untyped-decorator]
        def step(images: Any, classes: Any) -> Any:
            losses = self._strategy.run(local, args=(images, classes))
            return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        return step

    @property
    def _jit(self) -> bool:
        """XLA fuses what lies between matrix products: faster in float32 on a CPU, slower in bfloat16 there.

        It cannot add gradients up across devices, nor compile every op of a fake-quantized graph.
        """
        on_gpu = bool(tf.config.list_physical_devices("GPU"))
        return self.replicas == 1 and self._simulation is None and (on_gpu or self.spec.precision == "float32")

    def _learn(self, pixels: Any, targets: Any, beside: Mapping[str, Any]) -> Any:
        """The loss of [batch, H, W, 3] and [batch, classes], after a step down its gradient."""
        learning = list(self._learning.values())
        taught = {"teacher": beside["teacher"]} if "teacher" in beside else {}
        if "tall" in beside:  # its own answer at the ladder's top
            taught["self"] = tf.stop_gradient(self._logits(beside["tall"], training=False))
        with tf.GradientTape() as tape:
            loss = self._loss(pixels, targets, taught)
            scaled = self.optimizer.scale_loss(loss) / self.replicas  # their gradients are added up
        gradients = tape.gradient(scaled, [each.value for each in learning])
        self.optimizer.apply(gradients, learning)
        if self._average:
            # Early on a long average would still be the start: its momentum rises to the one asked for.
            done = ops.cast(self.optimizer.iterations, "float32")
            momentum = ops.minimum(self.spec.ema, (1.0 + done) / (10.0 + done))
            for average, each in zip(self._average.values(), learning, strict=True):
                average.assign(average + (1.0 - momentum) * (each.value - average))
        return loss

    def _logits(self, pixels: Any, training: bool) -> Any:
        forward = self._simulation or self.twin
        return ops.cast(forward(pixels, training=training), "float32")

    def _loss(self, pixels: Any, targets: Any, taught: Mapping[str, Any]) -> Any:
        """For a model with a distillation token, the class head listens to the labels and the other to the teacher."""
        spec = self.spec
        if self._simulation is None and self.model.config.distilled:
            labelled, listening = self.twin.head_logits(pixels, training=True)
        else:
            labelled = listening = self._logits(pixels, training=True)
        loss = cross_entropy(targets, labelled)
        if "teacher" in taught:
            told = distillation(taught["teacher"], listening, spec)
            loss = (1.0 - spec.distillation_weight) * loss + spec.distillation_weight * told
        elif listening is not labelled:  # without a teacher both heads learn the labels
            loss = 0.5 * (loss + cross_entropy(targets, listening))
        if "self" in taught:
            loss = loss + spec.self_distillation * divergence(taught["self"], 0.5 * (labelled + listening))
        return loss


def _size(pixels: Any) -> Resolution:
    """Of pictures [batch, H, W, 3]."""
    return Resolution(int(pixels.shape[2]), int(pixels.shape[1]))


def _resize(pixels: Any, resolution: Resolution) -> Any:
    """Pictures [batch, H, W, 3] of any size -> of that resolution, bicubic, antialiased; nothing where it fits."""
    if _size(pixels) == resolution:
        return pixels
    size = resolution.height, resolution.width
    return ops.image.resize(pixels, size, interpolation="bicubic", antialias=True)


def _forward(forward: Any) -> Any:
    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def logits(images: Any) -> Any:
        images = tf.ensure_shape(images, [None, *images.shape[1:]])
        return forward(images, training=False)

    return logits


def _copy(source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    for name, each in source.items():
        target[name].assign(each.value if hasattr(each, "value") and not callable(each.value) else each)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
