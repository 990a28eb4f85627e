"""What training minimises: cross-entropy with the labels, and divergences from a teacher and from the model itself."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edgevit.training.spec import TrainSpec


def class_weights(classes: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """n / (present classes * n of the class), [count]: a class's pictures together weigh as much as any other's."""
    numbers = np.bincount(classes, minlength=count)
    present = int((numbers > 0).sum())
    return (len(classes) / (present * np.maximum(numbers, 1))).astype(np.float32)


def smooth(targets: Any, smoothing: float) -> Any:
    """Label smoothing (Szegedy et al. 2016, arXiv 1512.00567), after mixing: [batch, classes] -> the same."""
    return targets * (1.0 - smoothing) + smoothing / targets.shape[-1]


def cross_entropy(targets: Any, logits: Any, weights: Any = None) -> Any:
    """The mean over the batch; `weights` [classes] weigh each picture by its (mixed) class."""
    losses = keras.losses.categorical_crossentropy(targets, logits, from_logits=True)  # [batch]
    if weights is None:
        return ops.mean(losses)
    return ops.mean(losses * ops.sum(targets * weights, axis=-1))


def divergence(teacher_logits: Any, logits: Any, temperature: float = 1.0) -> Any:
    """KL(teacher || student) of the softened scores, times temperature², the mean over the batch.

    The square keeps the gradient's size when the temperature changes (Hinton et al. 2015, arXiv 1503.02531, section 2).
    """
    theirs = ops.log_softmax(teacher_logits / temperature)
    ours = ops.log_softmax(logits / temperature)
    return temperature**2 * ops.mean(ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1))


def distillation(teacher_logits: Any, logits: Any, spec: TrainSpec) -> Any:
    """DeiT's soft or hard term (arXiv 2012.12877, equations 2 and 3), for the logits that listen to the teacher."""
    if spec.distillation == "soft":
        return divergence(teacher_logits, logits, spec.temperature)
    named = ops.one_hot(ops.argmax(teacher_logits, axis=-1), logits.shape[-1])
    return cross_entropy(named, logits)
