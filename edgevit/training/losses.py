"""What training minimises: cross-entropy with the labels, and the distance from a teacher and from the model itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from edgevit.mask_accuracy import IGNORED
from edgevit.training.spec import TrainSpec


def class_weights(classes: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    """n / (present classes * n of the class), [count]: a class's pictures together weigh as much as any other's.

    A class without a picture weighs 0. The mean over all pictures is 1, so that the loss keeps its scale.
    """
    numbers = np.bincount(classes, minlength=count)
    present = int((numbers > 0).sum())
    weights = len(classes) / (present * np.maximum(numbers, 1))
    return np.where(numbers > 0, weights, 0.0).astype(np.float32)


def weigh(targets: Any, weights: Any) -> Any:
    """Each class's part of the targets times its weight: [batch, classes], [classes] -> [batch, classes].

    It comes after mixing and before smoothing. Of two mixed pictures each part is weighed by its own class, and what
    smoothing gives to other classes is a share of the picture's weight, whatever those classes weigh. So all classes
    have the same share of all targets, and a model that cannot tell pictures apart settles at equal scores. (Weighed
    after smoothing, a picture of the common class would get a part of the rare one's weight.)
    """
    return targets * weights


def smooth(targets: Any, smoothing: float) -> Any:
    """Label smoothing (Szegedy et al. 2016, arXiv 1512.00567): [batch, classes] -> the same; each row keeps its sum."""
    return targets * (1.0 - smoothing) + ops.sum(targets, axis=-1, keepdims=True) * (smoothing / targets.shape[-1])


def cross_entropy(targets: Any, logits: Any) -> Any:
    """The mean over the batch: [batch, classes], [batch, classes] -> a number. Rows of targets need not sum to 1."""
    # TensorFlow's own op takes its gradient for that of rows that do.
    return -ops.mean(ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1))


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


def token_distance(wanted: Any, tokens: Any) -> Any:
    """1 less the cosine, the mean over all places: planes of tokens [batch, rows, columns, width].

    The first may have another grid: it is brought to the second's bilinearly, by the middles of patches.
    """
    wanted = tf.image.resize(wanted, tf.shape(tokens)[1:3], method="bilinear", antialias=True)
    alike = tf.reduce_sum(tf.math.l2_normalize(wanted, -1) * tf.math.l2_normalize(tokens, -1), axis=-1)
    return 1.0 - tf.reduce_mean(alike)


def place_cross_entropy(masks: Any, logits: Any) -> Any:
    """The mean over all places that are not ignored: masks uint8 [batch, H, W], logits [batch, rows, columns, classes].

    Logits are brought to the masks' size bilinearly, as they will be where they are used.
    """
    logits = tf.image.resize(logits, tf.shape(masks)[1:3], method="bilinear")
    masks = ops.cast(masks, "int32")
    judged = ops.cast(masks != IGNORED, "float32")
    classes = ops.where(masks == IGNORED, 0, masks)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return ops.sum(losses * judged) / ops.maximum(ops.sum(judged), 1.0)
