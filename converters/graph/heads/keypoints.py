"""keypoints: a heatmap for each point: see `edgevit.model.keypoint_head`, whose graph this is.

A transposed 4x4 convolution with steps of 2 is, exactly, a plain 2x2 convolution to four times as many channels, one
place larger each way, whose channels then lie side by side: the same products, in ops that every runtime has and every
recipe rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.heads.planes import Planes, first_layer
from edgevit.config import ViTConfig
from edgevit.tasks import Keypoints, Reads

DOUBLINGS = ("first", "second")

TAPS = ((2, 0), (3, 1))
"""Of the kernel's rows (and columns) those that make the first of two new places, and the second: see `doubling`."""


@dataclass(frozen=True)
class KeypointsHead(Head):
    task: Keypoints

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        layers = {"keypoints/projection": first_layer(folding, "keypoints", "projection")}
        for name in DOUBLINGS:
            layers[f"keypoints/{name}/doubled"] = doubling(folding, f"keypoints_head/{name}_doubled")
        layers["heatmaps"] = folding.plain("keypoints_head/points")
        return HeadWeights(layers, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        planes = Planes("keypoints", do, config, weights)
        plane, before = planes.plane("projection", tokens), "keypoints/projection"
        for name in DOUBLINGS:
            site = f"keypoints/{name}/doubled"
            plane = do.view(before, tf.pad, plane, [[0, 0], [1, 1], [1, 1], [0, 0]])
            plane = do.view(site, tf.nn.relu, do.linear(site, windows, plane, weights.layers[site]))
            plane, before = do.view(site, side_by_side, plane, planes.lead), site
        return {"heatmaps": planes.linear("heatmaps", plane)}


def doubling(folding: Folding, name: str) -> Linear:
    """A transposed convolution, which Keras stores as [4, 4, out, in], as [4 out, 2, 2, in].

    Along one side, place i of the map reaches places 2i - 1 to 2i + 2 of the doubled one, by rows 0 to 3 of the kernel.
    So between the middles of places i and i + 1 lie the new places 2i + 1, made of them by rows 2 and 0, and 2i + 2, by
    rows 3 and 1: what one window over both gives.
    """
    kernel, bias = folding.get(f"{name}/kernel"), folding.get(f"{name}/bias")
    parts = tf.gather(tf.gather(kernel, TAPS, axis=0), TAPS, axis=2)  # [2, 2 taps, 2, 2 taps, out, in]
    weight = tf.reshape(tf.transpose(parts, [0, 2, 4, 1, 3, 5]), [-1, 2, 2, kernel.shape[3]])
    return Linear(tf.cast(weight, tf.float32), tf.cast(tf.tile(bias, [4]), tf.float32))


def windows(plane: Any, weight: Any) -> Any:
    """[b, R + 2, C + 2, in] and [out, 2, 2, in] -> [b, R + 1, C + 1, out]."""
    return tf.nn.conv2d(plane, tf.transpose(weight, [1, 2, 3, 0]), 1, "VALID")


def side_by_side(plane: Any, lead: tuple[int, ...]) -> Any:
    """[b, R + 1, C + 1, 4 n] -> [b, 2 R, 2 C, n]: each window's four places, without those beyond the edges.

    In two dimensions at a time, for no tensor to have more than four.
    """
    _, rows, columns, width = plane.shape
    plane = tf.transpose(tf.reshape(plane, [-1, columns, 2, width // 2]), [0, 2, 1, 3])
    plane = tf.reshape(plane, [*lead, 2 * rows, 2 * columns, width // 4])
    return plane[:, 1:-1, 1:-1]
