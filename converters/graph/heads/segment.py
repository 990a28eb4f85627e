"""segment: a class for each place, made of all tokens: see `edgevit.model.segmentation_head`, whose graph this is.

Last norm, linear layer, convolutions and bilinear resizing are all in the one XNNPACK partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.norms import multiply, normalise
from edgevit.config import ViTConfig
from edgevit.model.segmentation_head import UPSAMPLED
from edgevit.tasks import Reads, Segment

FIRST = {"linear": "classes", "conv": "projection"}
"""By form, the layer that reads the tokens."""


@dataclass(frozen=True)
class SegmentHead(Head):
    task: Segment

    @property
    def reads(self) -> Reads:
        return self.task.reads

    def fold(self, folding: Folding) -> HeadWeights:
        form, planes = self.task.form, len(folding.config.blocks_read("segment"))
        first = folding.after_norm("norm", f"segment_head/{FIRST[form]}")
        # The mean of planes is their sum, the weights that read it so much smaller.
        layers = {f"segment/{FIRST[form]}": Linear(first.weight / planes, first.bias)}
        if form == "conv":
            for name in ("near", "fine"):
                layers[f"segment/{name}"] = folding.convolution(f"segment_head/{name}")
            layers["segment/classes"] = folding.plain("segment_head/classes")
        return HeadWeights(layers, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        rows, columns = tokens.grid
        lead = do.lead or (1,)
        read = None
        for layer in config.blocks_read("segment"):
            last = layer == config.depth
            stream, site = (tokens.last, "norm") if last else (tokens.after[layer], f"norm_{layer}")
            plane = normalise(do, site, stream, config)
            plane = do.view(f"{site}/normalised", lambda values: values[..., config.prefix :, :], plane)
            read = plane if read is None else do.compute("segment/summed", tf.add, read, plane)

        def linear(name: str, values: Any) -> Any:
            return do.linear(f"segment/{name}", multiply, values, weights.layers[f"segment/{name}"])

        def convolved(name: str, values: Any) -> Any:
            found = do.linear(f"segment/{name}", around, values, weights.layers[f"segment/{name}"])
            return do.view(f"segment/{name}", tf.nn.relu, found)

        def as_plane(name: str, values: Any) -> Any:
            return do.view(f"segment/{name}", tf.reshape, values, [*lead, rows, columns, values.shape[-1]])

        if self.task.form == "linear":
            classes, times = as_plane("classes", linear("classes", read)), UPSAMPLED
        else:
            near = convolved("near", as_plane("projection", linear("projection", read)))
            near = do.compute("segment/enlarged", enlarged, near, 2)
            classes, times = linear("classes", convolved("fine", near)), UPSAMPLED // 2
        return {"class_logits": do.compute("class_logits", enlarged, classes, times)}


def around(plane: Any, weight: Any) -> Any:
    """[b, R, C, in] and [out, 3, 3, in] -> [b, R, C, out], zeros around the plane."""
    return tf.nn.conv2d(plane, tf.transpose(weight, [1, 2, 3, 0]), 1, "SAME")


def enlarged(plane: Any, times: int) -> Any:
    """[b, R, C, n] -> [b, times R, times C, n], bilinearly, by the middles of pixels."""
    _, rows, columns, _ = plane.shape
    return tf.image.resize(plane, [rows * times, columns * times], method="bilinear")
