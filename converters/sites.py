"""Sites, the named numbers of the lowered graph: how a recipe rounds each, and which tensor belongs to which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from edgevit.converters.audit import op_name
from edgevit.converters.recipes import ANY, Recipe, Rule

from edgevit.calibration import Calibration
from edgevit.errors import ConversionError

PIXELS = (0.0, 255.0)  # scale 1, zero point -128
SHARES = (0.0, 255.0 / 256.0)  # scale 1/256, zero point -128: what TFLite's int8 SOFTMAX puts out, always

FIXED = {"image": PIXELS, "pixels": PIXELS, "weights": SHARES, "scores": SHARES}
"""By the last word of a site's name: ranges that nobody has to learn."""

LINEAR = {
    "patches": "CONV_2D",
    **dict.fromkeys(("qkv", "queries", "output", "expand", "contract", "logits"), "FULLY_CONNECTED"),
}
"""Linear layers by the last word of the site they put out, and the op that each becomes."""

OPS = {**LINEAR, **dict.fromkeys(("products", "mixed"), "BATCH_MATMUL")}
"""By the last word of a site: the op that makes it, where a recipe may name that op."""

LINEAR_INPUTS = {"pixels", "normalised", "mixed", "gelu"}
"""What they read, by the last word."""

READERS = {
    "pixels": "patches",
    "norm1/normalised": "qkv",
    "norm2/normalised": "expand",
    "norm/normalised": "logits",
    "qkv": "products",
    "queries": "products",
    "mixed": "output",
    "gelu": "contract",
    "patches": "tokens",
    "output": "attended",
    "contract": "tokens",
}
"""Sites, by the end of their names, that ops of another kind read than the one that made them; and what those make."""


def word(site: str) -> str:
    """`block3/norm1/centred` -> `centred`."""
    return site.rpartition("/")[2]


def activation(made: str, recipe: Recipe) -> str:
    """How the op that puts out a site, by its last word, computes: `Rule.activation`."""
    rule = _rule_at(made, recipe)
    return "float32" if rule is None else rule.activation


def weight(made: str, recipe: Recipe) -> str:
    """What the weights of the linear layer that puts out a site become: `Rule.weight`."""
    rule = _rule_at(made, recipe)
    return "float32" if rule is None else rule.weight


def _rule_at(made: str, recipe: Recipe) -> Rule | None:
    for rule in reversed(recipe.rules):
        if rule.op in (ANY, OPS.get(made)) and (not rule.sites or made in rule.sites):
            return rule
    return None


def roundings(site: str, recipe: Recipe) -> tuple[str, ...]:
    """How the recipe rounds a site with one range for all pictures, in order: `int8`, `int16`.

    First as the op that makes it, then as the one that reads it, where that is another.
    """
    reader = next((made for end, made in READERS.items() if f"/{site}".endswith(f"/{end}")), None)
    kinds = [activation(each, recipe) for each in (word(site), reader) if each is not None]
    kept: list[str] = []
    for kind in kinds:
        name, _, how = kind.partition("-")
        if how == "static" and name not in kept[-1:]:
            kept.append(name)
    return tuple(kept)


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


def tensor_ranges(flatbuffer: bytes, recipe: Recipe, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """Each float tensor that `recipe` gives a static range -> its range, as ai-edge-quantizer takes them.

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
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for op in subgraph.operators:
        rule = rule_of(op_name(model.operatorCodes[op.opcodeIndex]), _name(subgraph.tensors[op.outputs[0]]), recipe)
        if rule is None or not rule.is_static:
            continue
        for index in (*op.inputs, *op.outputs):
            if index < 0:  # an input left out
                continue
            tensor = subgraph.tensors[index]
            constant = model.buffers[tensor.buffer].data is not None
            if tensor.type == schema.TensorType.FLOAT32 and not constant:
                yield _name(tensor), len(tensor.shape)


def rule_of(op: str, output: str, recipe: Recipe) -> Rule | None:
    """The rule that ai-edge-quantizer will find for an op, by its name and that of what it puts out: the last."""
    matching = [rule for rule in recipe.rules if rule.op in (ANY, op) and re.match(rule.pattern, output)]
    return matching[-1] if matching else None


def _name(tensor: Any) -> str:
    return tensor.name.decode() if isinstance(tensor.name, bytes) else str(tensor.name)
