"""detect: boxes at each cell of three grids: see `edgevit.model.detection_head`, whose graph this is.

The towers' weights are stored once, and what they compute has one range for all levels: a site is where it is computed
three times. All is in the one XNNPACK partition; boxes are decoded outside of the graph, where ops that XNNPACK lacks
cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.heads.planes import Planes, first_layer
from edgevit.config import ViTConfig
from edgevit.model.detection_head import LEVELS, TOWER
from edgevit.tasks import Detect, Reads

OUTPUTS = {"log_distances": ("edge", "edges"), "cell_logits": ("class", "cells")}
"""Each output, the tower that it is read from, and the layer that reads it."""


@dataclass(frozen=True)
class DetectHead(Head):
    task: Detect

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        layers = {
            "detect/quarters": first_layer(folding, "detect", "quarters"),
            "detect/details": folding.after_norm("norm", "detect_head/details"),
            "detect/projection": first_layer(folding, "detect", "projection"),
            "detect/halved": folding.convolution("detect_head/halved"),
        }
        for index in range(LEVELS):
            layers[f"detect/{index}/level"] = folding.convolution(f"detect_head/level{index}")
        for output, (tower, last) in OUTPUTS.items():
            for index in range(TOWER):
                layers[f"detect/{tower}/{index}/tower"] = folding.convolution(f"detect_head/{tower}_tower{index}")
            layers[output] = folding.plain(f"detect_head/{last}")
        return HeadWeights(layers, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        planes = Planes("detect", do, config, weights)
        read = planes.read(tokens)
        quarters = planes.linear("quarters", read)
        details = planes.linear("details", planes.read(tokens, config.detail_block))
        detailed = planes.laid("detailed", do.compute("detect/detailed", tf.add, quarters, details), tokens)
        double = do.view("detect/detailed", side_by_side, detailed, planes.lead)
        plane = planes.plane("projection", tokens, read)
        half = do.linear("detect/halved", halved, plane, weights.layers["detect/halved"])
        levels = [planes.convolved(f"{index}/level", each) for index, each in enumerate((double, plane, half))]
        return {
            output: planes.linear(output, self._through(planes, tower, levels))
            for output, (tower, _) in OUTPUTS.items()
        }

    @staticmethod
    def _through(planes: Planes, tower: str, levels: Sequence[Any]) -> Any:
        """Each level through a tower, one behind the other: [b, cells, width]."""
        read = []
        for level in levels:
            plane = level
            for index in range(TOWER):
                plane = planes.convolved(f"{tower}/{index}/tower", plane)
            read.append(plane)
        return planes.do.view(planes.site(f"{tower}/{TOWER - 1}/tower"), joined, read, planes.lead)


def side_by_side(plane: Any, lead: tuple[int, ...]) -> Any:
    """[b, R, C, 4 n] -> [b, 2 R, 2 C, n]. In two dimensions at a time, for no tensor to have more than four."""
    _, rows, columns, width = plane.shape
    plane = tf.transpose(tf.reshape(plane, [-1, columns, 2, width // 2]), [0, 2, 1, 3])
    return tf.reshape(plane, [*lead, 2 * rows, 2 * columns, width // 4])


def halved(plane: Any, weight: Any) -> Any:
    """[b, R, C, in] and [out, 2, 2, in] -> [b, R/2, C/2, out], rounded up: zeros behind an odd side."""
    return tf.nn.conv2d(plane, tf.transpose(weight, [1, 2, 3, 0]), 2, "SAME")


def joined(planes: Sequence[Any], lead: tuple[int, ...]) -> Any:
    """Of each [b, R, C, n], one behind the other -> [b, cells, n]."""
    flat = [tf.reshape(each, [*lead, each.shape[1] * each.shape[2], each.shape[3]]) for each in planes]
    return tf.concat(flat, axis=1)
