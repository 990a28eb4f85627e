"""What one batch does to the weights: a step down the gradient of its loss, traced once for all resolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from edgevit.training.batches import TrainingBatch
from edgevit.training.forward import MATRICES, Forward, graph
from edgevit.training.losses import cross_entropy, distillation, divergence, smooth, weigh
from edgevit.training.memory import learn_in, parts_of
from edgevit.training.mixing import Mixing
from edgevit.training.optimizer import descend
from edgevit.training.spec import TrainSpec
from edgevit_runtime.resolution import Resolution


class TeacherLike(Protocol):
    """What distillation needs of a teacher (`edgevit.training.teacher`)."""

    resolution: Resolution | None

    def logits(self, images: Any) -> Any:
        """[batch, H, W, 3] in 0..255 -> [batch, classes]."""


@dataclass
class Step:
    """Call it with a batch; it gives the loss.

    learning: the variables that move, by name; average: those of them that are averaged.
    jit: let XLA compile what learns, for each picture size anew.
    kept_bytes: what a picture of a resolution keeps for the gradients, where memory bounds how many learn at once.

    A step has four parts: batches are prepared, the model answers pictures at the ladder's top (self-distillation), the
    loss is differentiated, the weights are moved. Each is a graph of its own, so that none is traced twice, and
    TensorFlow optimizes none twice. Several replicas, and graphs that know their grid, have all four in one.
    """

    spec: TrainSpec
    classes: int
    forward: Forward
    learning: Mapping[str, Any]
    average: Mapping[str, Any]
    optimizer: Any
    mixing: Mixing
    strategy: Any
    class_weights: NDArray[np.float32] | None
    teacher: TeacherLike | None
    jit: bool
    kept_bytes: Callable[[Resolution], float]

    def __post_init__(self) -> None:
        self._replicas = int(self.strategy.num_replicas_in_sync)
        self._apart = self.forward.any_grid and self._replicas == 1
        self._graphs: dict[Any, Any] = {}
        self._parts = _Parts(self._answer, self._differentiate, self._update)
        if self._apart:
            self._parts = self._traced_parts()

    def __call__(self, batch: TrainingBatch) -> float:
        """One step on a batch; the loss."""
        size, resolution = batch.size, batch.resolution
        resized = size != resolution
        # Who has to know the size: a graph for each is small, as it holds no block.
        fixed = not self._apart or self.teacher is not None or not self.mixing.any_size
        key = (size if fixed else None, resized if self._apart else resolution)
        if key not in self._graphs:
            trace = self._traced_preparation if self._apart else self._traced_whole
            self._graphs[key] = trace(len(batch.images), size if fixed else None, resolution, resized)
        images, classes = self._shared_out(batch.images), self._shared_out(batch.targets)
        matrices, tall_matrices = self.forward.matrices(resolution), self.forward.matrices(size)
        if self._apart:
            prepared = self._graphs[key](images, classes, np.array([resolution.height, resolution.width], np.int32))
            parts = parts_of(len(batch.images), self.kept_bytes(resolution))
            return float(self._run(prepared, resized, matrices, tall_matrices, parts))
        return float(self._graphs[key](images, classes, matrices, tall_matrices))

    def _shared_out(self, values: NDArray[Any]) -> Any:
        """A tensor, or under a strategy a part of it for each replica."""
        if self._replicas == 1:
            return tf.constant(values)
        parts = np.split(values, self._replicas)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def _run(
        self, prepared: Any, resized: bool, matrices: Any, tall_matrices: Any, parts: Sequence[slice] = (slice(None),)
    ) -> Any:
        """What follows the preparation; the loss. parts: of the batch, one of which learns after the other."""
        pixels, targets, told, tall = prepared
        own, weight = tf.zeros_like(targets), 0.0
        if resized and self.spec.self_distillation:
            own, weight = self._parts.answer(tall, tall_matrices), self.spec.self_distillation

        def learn(*learned: Any) -> tuple[Any, Any]:
            found: tuple[Any, Any] = self._parts.differentiate(*learned, tf.constant(weight), matrices)
            return found

        zeros = [] if len(parts) == 1 else [tf.zeros(each.shape, each.dtype) for each in self.learning.values()]
        loss, gradients = learn_in(parts, learn, (pixels, targets, told, own), zeros)
        self._parts.update(gradients)
        return loss

    def _traced_parts(self) -> _Parts:
        jit = True if self.jit else None
        pictures, logits = tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, self.classes))
        gradients = [tf.TensorSpec(each.shape, each.dtype) for each in self.learning.values()]
        return _Parts(
            graph(self._answer, [pictures, MATRICES], jit),
            graph(self._differentiate, [pictures, logits, logits, logits, tf.TensorSpec(()), MATRICES], jit),
            graph(self._update, [gradients], jit),
        )

    def _traced_preparation(self, batch: int, size: Resolution | None, _resolution: Resolution, resized: bool) -> Any:
        """The graph of `_prepare` for pictures of that size, or of any."""

        def prepare(images: Any, classes: Any, seen: Any) -> Any:
            return self._prepare(images, classes, size, seen if resized else None)

        sides = (None, None) if size is None else (size.height, size.width)
        pictures = tf.TensorSpec((batch, *sides, 3), "uint8")
        return graph(prepare, [pictures, tf.TensorSpec((batch,), "int32"), tf.TensorSpec((2,), "int32")])

    def _traced_whole(self, _batch: int, size: Resolution | None, resolution: Resolution, resized: bool) -> Any:
        """The whole step for one resolution. Replicas add their gradients up, which no function inside it may do."""
        seen = (resolution.height, resolution.width) if resized else None

        def local(images: Any, classes: Any, matrices: Any, tall_matrices: Any) -> Any:
            return self._run(self._prepare(images, classes, size, seen), resized, matrices, tall_matrices)

        def step(*inputs: Any) -> Any:
            losses = self.strategy.run(local, args=inputs)
            return self.strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)

        return graph(step)

    def _prepare(self, images: Any, classes: Any, size: Resolution | None, seen: Any) -> tuple[Any, Any, Any, Any]:
        """[batch, H, W, 3] and [batch] -> pixels at the size `seen`, targets, a teacher's logits, pixels as they were.

        size: that of the pictures, where a teacher has to know.
        """
        pixels = ops.cast(images, "float32")
        targets = ops.one_hot(classes, self.classes)
        pixels, targets = self.mixing(pixels, targets)
        if self.class_weights is not None:
            targets = weigh(targets, tf.constant(self.class_weights))
        targets = smooth(targets, self.spec.label_smoothing)
        told = tf.zeros_like(targets)
        if self.teacher is not None:
            shown = self.teacher.resolution or size
            theirs = pixels if shown is None or shown == size else resize(pixels, (shown.height, shown.width))
            told = self.teacher.logits(theirs)
        return (pixels if seen is None else resize(pixels, seen)), targets, told, pixels

    def _answer(self, pixels: Any, matrices: Any) -> Any:
        """What the model itself says of pictures [batch, H, W, 3]."""
        return mean(self.forward.head_logits(pixels, matrices, training=False))

    def _differentiate(self, pixels: Any, targets: Any, told: Any, own: Any, weight: Any, matrices: Any) -> Any:
        """The loss, and its gradients by `learning`. told, own: the teacher's logits, and its own; weight: of these."""
        # Gradients stop at its own answer, which in one graph with all the rest comes from the same weights.
        told, own = tf.stop_gradient(told), tf.stop_gradient(own)
        with tf.GradientTape() as tape:
            logits = self.forward.head_logits(pixels, matrices, training=True)
            loss = self._loss(logits, targets, told)
            if self.spec.self_distillation:
                loss = loss + weight * divergence(own, mean(logits))
            scaled = self.optimizer.scale_loss(loss) / self._replicas  # their gradients are added up
        return loss, tape.gradient(scaled, [each.value for each in self.learning.values()])

    def _update(self, gradients: Any) -> None:
        """The optimizer's step down the gradients, and the average's after it."""
        descend(self.optimizer, gradients, self.learning, self.average, self.spec.ema)

    def _loss(self, logits: Any, targets: Any, told: Any) -> Any:
        """For a model with a distillation token, the class head listens to the labels and the other to the teacher."""
        spec, labelled, listening = self.spec, logits[0], logits[-1]
        loss = cross_entropy(targets, labelled)
        if self.teacher is not None:
            share = spec.distillation_weight
            return (1.0 - share) * loss + share * distillation(told, listening, spec)
        if listening is not labelled:  # without a teacher both heads learn the labels
            return 0.5 * (loss + cross_entropy(targets, listening))
        return loss


@dataclass(frozen=True)
class _Parts:
    """The parts of a step after the first."""

    answer: Callable[..., Any]
    differentiate: Callable[..., Any]
    update: Callable[..., Any]


def mean(logits: Any) -> Any:
    """Of all heads' logits: what the model answers."""
    return sum(logits) / len(logits)


def resize(pixels: Any, size: Any) -> Any:
    """Pictures [batch, H, W, 3] -> of another size (height, width), bicubic, antialiased."""
    return tf.image.resize(pixels, size, method="bicubic", antialias=True)
