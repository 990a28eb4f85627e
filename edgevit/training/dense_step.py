"""What one batch does to the weights where a head reads all tokens: graphs that are traced once for all resolutions.

Of a fake-quantized model the first is traced for each resolution anew: it has to know the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from edgevit.training.batches import TrainingBatch
from edgevit.training.forward import MATRICES, Forward, graph
from edgevit.training.losses import token_distance
from edgevit.training.memory import learn_in, parts_of
from edgevit.training.optimizer import descend
from edgevit.training.spec import TrainSpec
from edgevit.training.step import resize
from edgevit_runtime.resolution import Resolution


@dataclass(frozen=True)
class Objective:
    """What is minimised."""

    task: str
    """Whose head learns."""
    loss: Callable[[Any, Any, tuple[Any, Any]], Any]
    """(targets, what the head gives, (height, width) of the pictures) -> a number: the mean over the batch."""
    shape: tuple[int | None, ...]
    """Of the targets."""
    dtype: str
    """Of the targets."""


@dataclass
class DenseStep:
    """Call it with a batch; it gives the loss.

    learning: the variables that move, by name; average: those of them that are averaged.
    kept_bytes: what a picture of a resolution keeps for the gradients.
    """

    spec: TrainSpec
    objective: Objective
    forward: Forward
    learning: Mapping[str, Any]
    average: Mapping[str, Any]
    optimizer: Any
    kept_bytes: Callable[[Resolution], float]

    def __post_init__(self) -> None:
        gradients = [tf.TensorSpec(each.shape, each.dtype) for each in self.learning.values()]
        self._differentiating: dict[Resolution | None, Any] = {}
        self._update = graph(self._descend, [gradients])
        self._answer = graph(self._tokens, [tf.TensorSpec((None, None, None, 3)), MATRICES])

    def __call__(self, batch: TrainingBatch) -> float:
        """One step on a batch; the loss."""
        resolution, pixels = batch.resolution, tf.cast(batch.images, tf.float32)
        own, weight = tf.zeros((len(batch.images), 1, 1, 1)), 0.0
        if batch.size != resolution:
            own, weight = self._answer(pixels, self.forward.matrices(batch.size)), self.spec.self_distillation
            pixels = resize(pixels, (resolution.height, resolution.width))
        matrices, differentiate = self.forward.matrices(resolution), self._differentiate(resolution)

        def learn(*learned: Any) -> tuple[Any, Any]:
            found: tuple[Any, Any] = differentiate(*learned, tf.constant(weight), matrices)
            return found

        parts = parts_of(len(batch.images), self.kept_bytes(resolution))
        zeros = [] if len(parts) == 1 else [tf.zeros(each.shape, each.dtype) for each in self.learning.values()]
        loss, gradients = learn_in(parts, learn, (pixels, tf.constant(batch.targets), own), zeros)
        self._update(gradients)
        return float(loss)

    def _differentiate(self, resolution: Resolution) -> Any:
        """The graph of `_slopes` for pictures of a resolution, or of any."""
        key = None if self.forward.any_grid else resolution
        if key not in self._differentiating:
            sides = (None, None) if key is None else (key.height, key.width)
            learned = (
                tf.TensorSpec((None, *sides, 3)),
                tf.TensorSpec(self.objective.shape, self.objective.dtype),
                tf.TensorSpec((None, None, None, None)),
            )
            self._differentiating[key] = graph(self._slopes, [*learned, tf.TensorSpec(()), MATRICES])
        return self._differentiating[key]

    def _slopes(self, pixels: Any, targets: Any, own: Any, weight: Any, matrices: Any) -> tuple[Any, Any]:
        """The loss, and its gradients by `learning`. own: its tokens of larger pictures; weight: of these."""
        task, shape = self.objective.task, tf.shape(pixels)
        with tf.GradientTape() as tape:
            if self.spec.self_distillation:
                found, tokens = self.forward.dense(task, pixels, matrices, training=True)
                loss = weight * token_distance(own, tokens)
            else:
                found, loss = self.forward.dense_logits(task, pixels, matrices, training=True), 0.0
            loss += self.objective.loss(targets, found, (shape[1], shape[2]))
            scaled = self.optimizer.scale_loss(loss)
        slopes = tape.gradient(scaled, [each.value for each in self.learning.values()])
        # A simulated head picks parts of a kernel, whose gradient then names these parts alone.
        return loss, [tf.convert_to_tensor(each) for each in slopes]

    def _tokens(self, pixels: Any, matrices: Any) -> Any:
        """What the model itself makes of larger pictures: [batch, rows, columns, width]."""
        return self.forward.dense(self.objective.task, pixels, matrices, training=False)[1]

    def _descend(self, gradients: Any) -> None:
        descend(self.optimizer, gradients, self.learning, self.average, self.spec.ema)
