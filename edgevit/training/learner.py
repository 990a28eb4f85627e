"""What learns: the weights in training, their optimizer and average, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgevit.errors import ConfigError
from edgevit.model import ViT, build, named_weights
from edgevit.model.weights import is_head
from edgevit.training.batches import TrainingBatch
from edgevit.training.dense_step import DenseStep, Objective
from edgevit.training.forward import MATRICES, Forward, SharedForward, SimulatedForward, graph
from edgevit.training.memory import kept_bytes
from edgevit.training.mixing import Mixing
from edgevit.training.optimizer import RANGES, make_optimizer, schedule
from edgevit.training.spec import TrainSpec
from edgevit.training.step import Step, TeacherLike, mean
from edgevit_runtime.resolution import Resolution


class SimulationLike(Protocol):
    """What quantization-aware training needs of a fake-quantized model (`converters.quantize.fake_quantization`)."""

    variables: list[Any]

    def calibrate(self, batches: Iterable[Any]) -> None: ...
    def __call__(self, images: Any, training: bool = False) -> Any: ...


class Learner:
    """Trains a twin of `model`, which may compute in another precision; `model` itself gets what is to be kept.

    simulate: makes the twin's and the model's fake-quantized forms, where training is quantization-aware.
    objective: of a head that reads all tokens; None: the classifier learns. task: what the model is asked then.
    strategy: shares each batch out among several GPUs (tf.distribute.MirroredStrategy); None for one device.
    """

    def __init__(
        self,
        model: Any,
        spec: TrainSpec,
        total_steps: int,
        *,
        weights: NDArray[np.float32] | None = None,
        teacher: TeacherLike | None = None,
        simulate: Any = None,
        strategy: Any = None,
        objective: Objective | None = None,
        task: str = "classify",
    ) -> None:
        if simulate is not None and spec.precision != "float32":
            raise ConfigError(
                f"quantization-aware training computes in float32; leave --precision {spec.precision} out"
            )
        self.model, self.spec = model, spec
        self._strategy = strategy or tf.distribute.get_strategy()
        self.replicas = int(self._strategy.num_replicas_in_sync)
        if spec.batch % self.replicas:
            raise ConfigError(f"--batch {spec.batch} cannot be shared out among {self.replicas} GPUs evenly")
        with self._strategy.scope():
            self._build(total_steps, simulate)
        self._task = task if objective is None else objective.task
        self._step = self._made_step(weights, teacher, objective)
        kept = self.kept_simulation
        self._answering: Forward = SharedForward(self._picture_model(model)) if kept is None else SimulatedForward(kept)
        self._answers: dict[Any, Any] = {}

    def _picture_model(self, model: Any) -> ViT:
        """What of a model sees pictures."""
        found: ViT = model
        return found

    def _built_twin(self) -> Any:
        return build(self.model.config, seed=self.spec.seed)

    def _learns(self, name: str) -> bool:
        """Whether a weight learns, by its path."""
        return not self.spec.freeze or is_head(name)

    def _made_step(
        self, weights: NDArray[np.float32] | None, teacher: TeacherLike | None, objective: Objective | None
    ) -> Callable[[TrainingBatch], float]:
        spec, model = self.spec, self.model
        if objective is None:
            return Step(
                spec,
                model.config.classes,
                self._forward,
                self._learning,
                self._average,
                self.optimizer,
                self._mixing,
                self._strategy,
                weights,
                teacher,
                self._jit,
                self._kept_bytes,
            )
        return DenseStep(
            spec, objective, self._forward, self._learning, self._average, self.optimizer, self._kept_bytes
        )

    def _build(self, total_steps: int, simulate: Any) -> None:
        """Makes the variables; under a strategy, on each device."""
        model, spec = self.model, self.spec
        with _precision(spec.precision):
            self.twin = self._built_twin()
        _copy(named_weights(model), named_weights(self.twin))
        self._simulation: SimulationLike | None = simulate(self.twin) if simulate else None
        self.kept_simulation: Any = simulate(model) if simulate else None
        made = self._simulation
        seeing = self._picture_model(self.twin)
        self._forward: Forward = SharedForward(seeing) if made is None else SimulatedForward(made)
        learning = {name: each for name, each in named_weights(self.twin).items() if self._learns(name)}
        if self._simulation is not None:
            learning |= {f"{RANGES}{index}": each for index, each in enumerate(self._simulation.variables)}
        self._learning = learning
        self._schedule = schedule(spec.learning_rate, total_steps, spec.warmup_share)
        scaling = spec.precision == "mixed_float16"
        self.optimizer = make_optimizer(seeing.config, learning, spec, total_steps, loss_scaling=scaling)
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
        return self._step(batch)

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

    def logits(self, images: NDArray[np.uint8]) -> Any:
        """What `model` (fake-quantized, where training is) gives: [batch, H, W, 3] -> [batch, classes].

        Of embed vectors [batch, width]; of a dense task what its head gives: an array [batch, ...], or several by name.
        """
        forward, resolution = self._answering, Resolution(images.shape[2], images.shape[1])
        key = None if forward.any_grid else resolution
        if key not in self._answers:
            self._answers[key] = _answering(forward, None if key is None else images.shape[1:3], self._task)
        return tf.nest.map_structure(np.asarray, self._answers[key](images, forward.matrices(resolution)))

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

    @property
    def _jit(self) -> bool:
        """XLA fuses what lies between matrix products, and compiles each picture size anew: a minute each on a CPU.

        There it would win a few per cent of a step. It cannot compile every op of a fake-quantized graph.
        """
        return self._on_gpu and self._simulation is None

    def _kept_bytes(self, resolution: Resolution) -> float:
        return 0.0 if self._on_gpu else kept_bytes(self._picture_model(self.model).config, resolution)

    @property
    def _on_gpu(self) -> bool:
        return bool(tf.config.list_physical_devices("GPU"))


def _answering(forward: Forward, size: tuple[int, int] | None, task: str) -> Any:
    """The graph that answers pictures of that height and width, or of any."""
    signature = [tf.TensorSpec((None, *(size or (None, None)), 3), "uint8"), MATRICES]

    def logits(images: Any, matrices: Any) -> Any:
        if task == "embed":
            return forward.vectors(images, matrices)
        if task != "classify":
            return forward.dense_logits(task, images, matrices, training=False)
        return mean(forward.head_logits(images, matrices, training=False))

    return graph(logits, signature)


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
