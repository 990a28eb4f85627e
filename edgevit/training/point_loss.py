"""What keypoints minimise: each point's heatmap of scores is to be a Gaussian about the point.

Cross-entropy at each place (Papandreou et al. 2017, https://arxiv.org/abs/1701.01779, who learn a disc), with the true
place unrounded: it is least where the scores are the Gaussian itself, whose peak `edgevit_runtime.tasks.heatmap_peaks`
reads exactly (DARK, Zhang et al. 2020, https://arxiv.org/abs/1910.06278: unbiased encoding). Unlike the mean square of
scores it pulls at one that is far off, however flat the sigmoid is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

SIGMA_SHARE = 1 / 28
"""The Gaussian's standard deviation, in shares of the map's longer side: 2 places of 56, as in ViTPose's heatmaps
(arXiv 2204.12484: 2 of 48 x 64)."""
NEAR_WEIGHT = 10.0
"""By so much more the place of the point weighs, and those around it in proportion to their score: they are few. Which
scores are best does not depend on it."""
LEAST_SIGMA = 1.0
"""In places: of a narrower one the nine around the peak show little."""


def heatmap_loss(targets: Any, found: Mapping[str, Any], size: tuple[Any, Any]) -> Any:
    """The mean over the batch's points that have a weight; 0 where the scores are the Gaussians.

    targets: float32 [batch, points, 3], x and y in the pictures' pixels, and a weight.
    found: `heatmaps`, logits [batch, rows, columns, points].
    size: (height, width) of the pictures.
    """
    logits = found["heatmaps"]
    wanted, sigma = gaussians(targets, tf.shape(logits), size)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(wanted, logits) - _least(wanted)
    losses *= 1.0 + NEAR_WEIGHT * wanted
    # So much is the sum of a Gaussian's scores: small maps and large ones then weigh alike.
    by_point = tf.reduce_sum(losses, axis=[1, 2]) / (2.0 * math.pi * sigma**2)
    weights = targets[..., 2]
    return tf.reduce_sum(weights * by_point) / tf.maximum(tf.reduce_sum(weights), 1.0)


def gaussians(targets: Any, shape: Any, size: tuple[Any, Any]) -> tuple[Any, Any]:
    """(what the scores are to be, [batch, rows, columns, points]; the standard deviation in places).

    shape: of the heatmaps.
    """
    rows, columns = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    height, width = (tf.cast(side, tf.float32) for side in size)
    sigma = tf.maximum(LEAST_SIGMA, SIGMA_SHARE * tf.maximum(rows, columns))
    across = _bell(targets[..., 0] * columns / width, columns, sigma)  # [batch, columns, points]
    down = _bell(targets[..., 1] * rows / height, rows, sigma)
    return down[:, :, None] * across[:, None], sigma


def _bell(middle: Any, places: Any, sigma: Any) -> Any:
    """[batch, points] -> [batch, places, points]: the places' middles are half of one from its edges."""
    away = tf.range(places)[None, :, None] + 0.5 - middle[:, None]
    return tf.exp(-0.5 * (away / sigma) ** 2)


def _least(wanted: Any) -> Any:
    """The cross-entropy of scores that are right."""
    return -(tf.math.xlogy(wanted, wanted) + tf.math.xlog1py(1.0 - wanted, -wanted))
