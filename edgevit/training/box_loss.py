"""What detection minimises: which cells learn which box is worked out from what the model says now, as is their loss.

Which level a box is learned on follows from its size (FCOS, Tian et al. 2019, https://arxiv.org/abs/1904.01355), since
all levels are made of the same tokens: two that compete for boxes of one size are unsure of all of them. There it is
assigned by task alignment (TOOD, Feng et al. 2021, https://arxiv.org/abs/2108.07755): to the cells inside it whose
score and overlap are best together. Scores learn the overlap that their box has (varifocal loss, Zhang et al.
2021, https://arxiv.org/abs/2008.13367), boxes by the generalised overlap (Rezatofighi et al. 2019,
https://arxiv.org/abs/1902.09630).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from edgevit.model.detection_head import FIRST_REACH
from edgevit.training.box_examples import DOES_NOT_COUNT

CELLS_A_BOX = 10
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0
"""How much a cell's score and its overlap weigh in the choice."""
NEGATIVE_WEIGHT, NEGATIVE_POWER = 0.75, 2.0
"""Of the varifocal loss."""
BOX_WEIGHT = 2.0
NEAR = 0.75
"""A cell whose middle is nearer than so many strides to a box's middle counts as inside: small boxes hold none."""
FURTHEST = 8.0
"""Logarithms of distances beyond it change nothing."""
TINY, FAINT, SAME = 1e-9, 1e-30, 1e-4


def detection_loss(targets: Any, found: Mapping[str, Any], size: tuple[Any, Any], strides: Sequence[int]) -> Any:
    """The mean over the batch's boxes.

    targets: float32 [batch, most, 5] (`box_examples.BoxLabels.targets`), padded by rows of class -1.
    found: `log_distances` [batch, cells, 4] and `cell_logits` [batch, cells, classes].
    size: (height, width) of the pictures.
    """
    logits = found["cell_logits"]
    middles, stride = cells_of(size, strides)
    boxes = _boxes(found["log_distances"], middles, stride)
    true, classes = targets[..., :4], tf.cast(targets[..., 4], tf.int32)
    quality, chosen, ignored = tf.nest.map_structure(
        tf.stop_gradient, assigned(true, classes, boxes, tf.sigmoid(logits), middles, stride)
    )  # [batch, cells], [batch, cells], bool [batch, cells]
    total = tf.maximum(tf.reduce_sum(quality), 1.0)
    its_class = tf.gather(classes, chosen, batch_dims=1)
    wanted = quality[..., None] * tf.one_hot(its_class, logits.shape[-1])
    scores = tf.stop_gradient(tf.sigmoid(logits))
    weights = tf.where(wanted > 0.0, wanted, NEGATIVE_WEIGHT * scores**NEGATIVE_POWER)
    weights = tf.where(ignored[..., None] & (wanted <= 0.0), 0.0, weights)
    losses = weights * tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits)
    apart = 1.0 - generalised_overlap(tf.gather(true, chosen, batch_dims=1), boxes)
    return (tf.reduce_sum(losses) + BOX_WEIGHT * tf.reduce_sum(quality * apart)) / total


def cells_of(size: tuple[Any, Any], strides: Sequence[int]) -> tuple[Any, Any]:
    """(middles [cells, 2] in pixels, stride [cells]), in the order of `edgevit_runtime.tasks.box_decoding.grids_of`."""
    middles, widths = [], []
    for stride in strides:
        rows, columns = (-(-tf.cast(side, tf.int32) // stride) for side in size)
        x = (tf.range(tf.cast(columns, tf.float32)) + 0.5) * stride
        y = (tf.range(tf.cast(rows, tf.float32)) + 0.5) * stride
        grid = tf.stack([tf.tile(x[None], [rows, 1]), tf.tile(y[:, None], [1, columns])], axis=-1)
        middles.append(tf.reshape(grid, [-1, 2]))
        widths.append(tf.fill([rows * columns], float(stride)))
    return tf.concat(middles, axis=0), tf.concat(widths, axis=0)


def assigned(true: Any, classes: Any, boxes: Any, scores: Any, middles: Any, stride: Any) -> tuple[Any, Any, Any]:
    """Which cell learns which box.

    true [batch, most, 4], classes int32 [batch, most]; boxes [batch, cells, 4] and scores [batch, cells, classes] as
    the model gives them now.

    (quality [batch, cells], 0 where a cell learns that nothing is there; the index of its box [batch, cells]; whether
    it is in a box that does not count, bool [batch, cells].)
    """
    counts = classes >= 0  # [batch, most]
    inside = _inside(true, middles)  # bool [batch, most, cells]
    center = (true[..., None, :2] + true[..., None, 2:]) / 2.0
    near = tf.reduce_max(tf.abs(center - middles), axis=-1) < NEAR * stride
    possible = (inside | near) & _of_its_level(true, stride) & counts[..., None]
    overlap = _overlap(true[:, :, None], boxes[:, None])[0] * tf.cast(possible, tf.float32)
    score = tf.gather(scores, tf.maximum(classes, 0), axis=2, batch_dims=1)  # [batch, cells, most]
    alignment = tf.transpose(score, [0, 2, 1]) ** SCORE_POWER * overlap**OVERLAP_POWER
    most = tf.minimum(CELLS_A_BOX, tf.shape(alignment)[2])
    least = tf.math.top_k(alignment, most).values[..., -1:]
    taken = (alignment >= tf.maximum(least, FAINT)) & possible
    overlap = tf.where(taken, overlap, 0.0)
    # A cell that several boxes would have learns the one that it covers best.
    chosen = tf.argmax(overlap, axis=1, output_type=tf.int32)  # [batch, cells]
    own = tf.one_hot(chosen, tf.shape(true)[1], axis=1, on_value=True, off_value=False, dtype=tf.bool) & taken
    alignment = tf.where(own, alignment, 0.0)
    overlap = tf.where(own, overlap, 0.0)
    # The best cell of each box learns the overlap that it has, others in proportion.
    best = tf.reduce_max(overlap, axis=2, keepdims=True)
    quality = best * alignment / tf.maximum(tf.reduce_max(alignment, axis=2, keepdims=True), FAINT)
    ignored = tf.reduce_any(inside & (classes == int(DOES_NOT_COUNT))[..., None], axis=1)
    return tf.reduce_max(quality, axis=1), chosen, ignored


def generalised_overlap(one: Any, other: Any) -> Any:
    """GIoU of boxes [..., 4] with others of the same shape: [...], -1 to 1."""
    overlap, union = _overlap(one, other)
    low, high = tf.minimum(one[..., :2], other[..., :2]), tf.maximum(one[..., 2:], other[..., 2:])
    around = tf.reduce_prod(high - low, axis=-1)
    return overlap - (around - union) / tf.maximum(around, TINY)


def _overlap(one: Any, other: Any) -> tuple[Any, Any]:
    """(intersection over union, union) of boxes [..., 4]: [...]."""
    low, high = tf.maximum(one[..., :2], other[..., :2]), tf.minimum(one[..., 2:], other[..., 2:])
    common = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    areas = [tf.reduce_prod(tf.maximum(each[..., 2:] - each[..., :2], 0.0), axis=-1) for each in (one, other)]
    union = areas[0] + areas[1] - common
    return common / tf.maximum(union, TINY), union


def _boxes(log_distances: Any, middles: Any, stride: Any) -> Any:
    """[batch, cells, 4] in pixels."""
    reach = tf.exp(tf.clip_by_value(log_distances, -FURTHEST, FURTHEST)) * stride[:, None]
    return tf.concat([middles - reach[..., :2], middles + reach[..., 2:]], axis=-1)


def _of_its_level(true: Any, stride: Any) -> Any:
    """bool [batch, most, cells]: those of the level whose fresh boxes are nearest in size."""
    sides = tf.sqrt(tf.maximum(tf.reduce_prod(true[..., 2:] - true[..., :2], axis=-1), TINY))
    misfit = tf.abs(tf.math.log(sides[..., None] / (2.0 * FIRST_REACH * stride)))
    return misfit <= tf.reduce_min(misfit, axis=-1, keepdims=True) + SAME


def _inside(true: Any, middles: Any) -> Any:
    """bool [batch, most, cells]"""
    low, high = middles - true[:, :, None, :2], true[:, :, None, 2:] - middles
    return tf.reduce_min(tf.concat([low, high], axis=-1), axis=-1) > 0.0
