"""What one batch of pictures and texts does to the weights of two towers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgevit.training.batches import TrainingBatch
from edgevit.training.forward import MATRICES, Forward, graph
from edgevit.training.optimizer import descend
from edgevit.training.spec import TrainSpec

LARGEST_SCALE = 100.0
"""Of a softmax (Radford et al. 2021, https://arxiv.org/abs/2103.00020, section 2.5)."""


def pairwise_sigmoid(logits: Any, same: Any) -> Any:
    """Each picture with each text by itself: whether both belong together (Zhai et al. 2023,
    https://arxiv.org/abs/2303.15343, equation 1). logits, same [pictures, texts]; same: 1 where they do, or 0."""
    sign = 2.0 * same - 1.0
    each = tf.math.log_sigmoid(sign * logits)
    return -tf.reduce_mean(tf.reduce_sum(each, axis=1))


def both_ways(logits: Any, same: Any) -> Any:
    """The cross-entropy of a picture's texts and of a text's pictures, half each (Radford et al. 2021, figure 3)."""
    shares = same / tf.reduce_sum(same, axis=1, keepdims=True)  # `same` reads the same by rows and by columns
    by_picture = tf.reduce_sum(shares * tf.nn.log_softmax(logits, axis=1), axis=1)
    by_text = tf.reduce_sum(shares * tf.nn.log_softmax(tf.transpose(logits), axis=1), axis=1)
    return -0.5 * (tf.reduce_mean(by_picture) + tf.reduce_mean(by_text))


LOSSES = {"sigmoid": pairwise_sigmoid, "softmax": both_ways}
"""By what the model's scores are."""


@dataclass
class ContrastiveStep:
    """Call it with a batch, whose targets are the places of its texts; it gives the loss.

    Pictures that have the same text belong to that of each other, too.

    towers: the image-text model that learns. told: of each text its tokens, int32 [texts, context], or where the text
    tower stays as it is their vectors, float32 [texts, width].
    learning: the variables that move, by name; average: those of them that are averaged.
    """

    spec: TrainSpec
    towers: Any
    forward: Forward
    told: NDArray[Any]
    learning: Mapping[str, Any]
    average: Mapping[str, Any]
    optimizer: Any

    def __post_init__(self) -> None:
        gradients = [tf.TensorSpec(each.shape, each.dtype) for each in self.learning.values()]
        self._update = graph(self._descend, [gradients])
        told = tf.TensorSpec((None, self.told.shape[1]), self.told.dtype)
        pictures = tf.TensorSpec((None, None, None, 3))
        self._differentiate = graph(self._slopes, [pictures, told, tf.TensorSpec((None, None)), MATRICES])

    def __call__(self, batch: TrainingBatch) -> float:
        """One step on a batch; the loss."""
        same = (batch.targets[:, None] == batch.targets[None, :]).astype(np.float32)
        pixels, matrices = tf.cast(batch.images, tf.float32), self.forward.matrices(batch.resolution)
        loss, gradients = self._differentiate(pixels, tf.constant(self.told[batch.targets]), same, matrices)
        self._update(gradients)
        return float(loss)

    def _slopes(self, pixels: Any, told: Any, same: Any, matrices: Any) -> tuple[Any, Any]:
        """The loss, and its gradients by `learning`."""
        towers = self.towers
        with tf.GradientTape() as tape:
            texts = told if told.dtype.is_floating else towers.text(told, training=True)
            pictures = self.forward.vectors(pixels, matrices, training=True)
            loss = LOSSES[towers.config.scores](towers.logits(pictures, texts), same)
            scaled = self.optimizer.scale_loss(loss)
        slopes = tape.gradient(scaled, [each.value for each in self.learning.values()])
        # That of the words names the rows of those alone that the batch has.
        return loss, [tf.convert_to_tensor(each) for each in slopes]

    def _descend(self, gradients: Any) -> None:
        descend(self.optimizer, gradients, self.learning, self.average, self.spec.ema)
        if self.towers.config.scores == "softmax":
            scale = self.towers.log_scale
            scale.assign(tf.minimum(scale.value, log(LARGEST_SCALE)))
