"""What one batch does to the weights where a head reads all tokens: two graphs, traced once for all resolutions.

Of a fake-quantized model the first is traced for each resolution anew: it has to know the grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from edgevit.training.batches import TrainingBatch
from edgevit.training.forward import Forward, graph
from edgevit.training.memory import learn_in, parts_of
from edgevit.training.optimizer import descend
from edgevit.training.spec import TrainSpec
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

    def __call__(self, batch: TrainingBatch) -> float:
        """One step on a batch; the loss."""
        parts = parts_of(len(batch.images), self.kept_bytes(batch.resolution))
        matrices = self.forward.matrices(batch.resolution)
        zeros = [] if len(parts) == 1 else [tf.zeros(each.shape, each.dtype) for each in self.learning.values()]
        tensors = tf.constant(batch.images), tf.constant(batch.targets)
        differentiate = self._differentiate(batch.resolution)
        loss, gradients = learn_in(parts, lambda *given: differentiate(*given, matrices), tensors, zeros)
        self._update(gradients)
        return float(loss)

    def _differentiate(self, resolution: Resolution) -> Any:
        """The graph of `_slopes` for pictures of a resolution, or of any."""
        key = None if self.forward.any_grid else resolution
        if key not in self._differentiating:
            sides = (None, None) if key is None else (key.height, key.width)
            pictures = tf.TensorSpec((None, *sides, 3), "uint8")
            targets = tf.TensorSpec(self.objective.shape, self.objective.dtype)
            matrices = tf.TensorSpec((None, None)), tf.TensorSpec((None, None))
            self._differentiating[key] = graph(self._slopes, [pictures, targets, matrices])
        return self._differentiating[key]

    def _slopes(self, images: Any, targets: Any, matrices: Any) -> tuple[Any, Any]:
        """The loss, and its gradients by `learning`."""
        with tf.GradientTape() as tape:
            found = self.forward.dense_logits(self.objective.task, tf.cast(images, tf.float32), matrices, training=True)
            shape = tf.shape(images)
            loss = self.objective.loss(targets, found, (shape[1], shape[2]))
            scaled = self.optimizer.scale_loss(loss)
        slopes = tape.gradient(scaled, [each.value for each in self.learning.values()])
        # A simulated head picks parts of a kernel, whose gradient then names these parts alone.
        return loss, [tf.convert_to_tensor(each) for each in slopes]

    def _descend(self, gradients: Any) -> None:
        descend(self.optimizer, gradients, self.learning, self.average, self.spec.ema)
