"""segment: a class for each place, made of all tokens: see `edgevit.model.segmentation_head`, whose graph this is.

Last norm, linear layer, convolutions and bilinear resizing are all in the one XNNPACK partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from converters.graph.arithmetic import Arithmetic
from converters.graph.folding import Folding
from converters.graph.heads.head import Head, HeadWeights, Tokens
from converters.graph.heads.planes import Planes, enlarged, first_layer
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
        first = FIRST[self.task.form]
        layers = {f"segment/{first}": first_layer(folding, "segment", first)}
        if self.task.form == "conv":
            for name in ("near", "fine"):
                layers[f"segment/{name}"] = folding.convolution(f"segment_head/{name}")
            layers["segment/classes"] = folding.plain("segment_head/classes")
        return HeadWeights(layers, {})

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        planes = Planes("segment", do, config, weights)
        first = planes.plane(FIRST[self.task.form], tokens)
        if self.task.form == "linear":
            classes, times = first, UPSAMPLED
        else:
            near = do.compute("segment/enlarged", enlarged, planes.convolved("near", first), 2)
            classes, times = planes.linear("classes", planes.convolved("fine", near)), UPSAMPLED // 2
        return {"class_logits": do.compute("class_logits", enlarged, classes, times)}
