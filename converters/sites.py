"""Sites, the named numbers of the lowered graph: which of them a recipe rounds, and which tensor belongs to which."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from edgevit.converters.audit import op_name
from edgevit.converters.recipes import ANY, Recipe

from edgevit.calibration import Calibration
from edgevit.errors import ConversionError

PIXELS = (0.0, 255.0)  # scale 1, zero point -128
SHARES = (0.0, 255.0 / 256.0)  # scale 1/256, zero point -128: what TFLite's int8 SOFTMAX puts out, always

FIXED = {"image": PIXELS, "pixels": PIXELS, "weights": SHARES, "scores": SHARES}
"""By the last word of a site's name: ranges that nobody has to learn."""

LINEAR_INPUTS = {"pixels", "normalised", "mixed", "gelu"}
LINEAR_OUTPUTS = {"patches", "qkv", "queries", "output", "expand", "contract", "logits"}
LINEAR = LINEAR_INPUTS | LINEAR_OUTPUTS
"""By the last word: what `int8-static` rounds."""


def word(site: str) -> str:
    """`block3/norm1/centred` -> `centred`."""
    return site.rpartition("/")[2]


def is_rounded(site: str, recipe: Recipe) -> bool:
    """Whether the recipe gives the site one range for all pictures."""
    ops = _static_ops(recipe)
    return ANY in ops or (bool(ops) and word(site) in LINEAR)


def site_of(tensor: str, known: Collection[str]) -> str | None:
    """The site, `known` or fixed, that a TFLite tensor was named after; None where there is none.

    Ops are named `site/Op`, the converter joins the names of those it fuses with semicolons.
    """
    sites = {_site_above(part, known) for part in tensor.split(";")}
    return sites.pop() if len(sites) == 1 else None


def _site_above(name: str, known: Collection[str]) -> str | None:
    while name:
        if name in known or word(name) in FIXED:
            return name
        name = name.rpartition("/")[0]
    return None


def learned_ranges(flatbuffer: bytes, recipe: Recipe, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """Each float tensor that `recipe` gives a static range -> its learned range, as ai-edge-quantizer takes them.

    Raises `ConversionError` naming the first tensor that has none.
    """
    if calibration.recipe != recipe.name:
        raise ConversionError(f"the model's ranges were learned for {calibration.recipe}, not for {recipe.name}")
    ranges = {}
    for tensor, rank in _static_tensors(flatbuffer, recipe):
        site = site_of(tensor, calibration.ranges)
        if site is None:
            raise ConversionError(
                f"no range was learned for the tensor {tensor}, which {recipe.name} quantizes: fine-tune the model "
                f"again for {recipe.name}, or calibrate with pictures: --calibration DIR"
            )
        low, high = FIXED[word(site)] if word(site) in FIXED else calibration.ranges[site]
        ranges[tensor] = {"min": np.full((1,) * rank, low), "max": np.full((1,) * rank, high)}
    return ranges


def _static_tensors(flatbuffer: bytes, recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Name and rank of each float activation at an op with static ranges."""
    ops = _static_ops(recipe)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for op in subgraph.operators:
        if ANY not in ops and op_name(model.operatorCodes[op.opcodeIndex]) not in ops:
            continue
        for index in (*op.inputs, *op.outputs):
            if index < 0:  # an input left out
                continue
            tensor = subgraph.tensors[index]
            constant = model.buffers[tensor.buffer].data is not None
            if tensor.type == schema.TensorType.FLOAT32 and not constant:
                yield tensor.name.decode() if isinstance(tensor.name, bytes) else tensor.name, len(tensor.shape)


def _static_ops(recipe: Recipe) -> set[str]:
    return {rule.op for rule in recipe.rules if rule.activation == "int8-static"}
