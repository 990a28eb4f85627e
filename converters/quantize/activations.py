"""How a recipe rounds each activation, by its site; and which tensor of the file belongs to which site.

A site is a place in the lowered graph whose numbers have a name: `block3/norm1/squares` is what the squaring op of the
first norm in block 3 puts out (counted from 0), `patches` what the patch embedding does. It is called after what the op
makes, not after the op. The names are the same at every resolution and in every artefact, so that a range which was
observed or learned at a site holds on the whole ladder, a rule of a recipe can name it, and a tensor of the file, which
is named after it, can be found again. `lowering` makes them; `recipes.OPS` lists the last words there are and the
op behind each; `READERS` says which ops read what a site holds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.tflite_model import op_name, tensor_name
from converters.quantize.recipes import LINEAR, OPS, OUTSIDE, Recipe, Rule
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConversionError

PIXELS = (0.0, 255.0)  # scale 1, zero point -128
SHARES = (0.0, 255.0 / 256.0)  # scale 1/256, zero point -128: what TFLite's int8 SOFTMAX and LOGISTIC put out

UNIT = (0.0, 1.0)  # scale 1/255, zero point -128

SIX = (0.0, 6.0)  # scale 6/255, zero point -128: between the ends of a RELU6

FIXED = {
    **dict.fromkeys(("image", "pixels"), PIXELS),
    **dict.fromkeys(("weights", "scores", "gate"), SHARES),
    "powers": UNIT,
    "spans": SIX,
}
"""By the last word of a site's name: ranges that nobody has to learn."""

VALUES = "logits"
"""The site that a head's linear layer puts out; of a regression the scores themselves."""
READERS: dict[str, tuple[str, ...]] = {
    "pixels": ("patches", "colours"),
    "colours": ("strided",),
    "strided": ("strided", "patches"),
    "norm1/normalised": ("qkv", "queries"),
    "norm2/normalised": ("expand",),
    "input_norm/normalised": ("shifted",),
    "input_norm/shifted": ("averaged", "tokens"),
    "input_norm/averaged": ("tokens",),
    "query_norm/normalised": ("shifted",),
    "query_norm/shifted": ("products",),
    "key_norm/normalised": ("products",),
    "pool/mixed": ("values",),
    "pool/output": ("averaged", "deviations", "added"),
    "pool/averaged": ("deviations",),
    "pool/norm/normalised": ("expand",),
    "pool/contract": ("added",),
    "keys": ("weights",),
    "values": ("own",),
    "own": ("gathered",),
    "gathered": ("output",),
    "deviations": ("squares", "scaled", "normalised"),
    "added": ("logits", "projection", "squares", "normalised"),
    "norm/normalised": (
        "logits",
        "summed",
        "quarters",
        "details",
        "projection",
        "classes",
        "pooled",
        "scaled",
        "keys",
        "mixed",
    ),
    "averaged": ("squares", "scaled", "normalised"),
    "pooled": ("logits", "projection", "scaled"),
    "embed/scaled": ("shifted",),
    "shifted": ("squares", "normalised"),
    "embed/projection": ("squares", "normalised"),
    "embed/normalised": ("logits", "vector"),
    "summed": ("quarters", "projection"),
    "quarters": ("detailed",),
    "details": ("detailed",),
    "detailed": ("level",),
    "detect/projection": ("halved", "level"),
    "keypoints/projection": ("doubled",),
    "projection": ("near",),
    "near": ("enlarged",),
    "enlarged": ("fine",),
    "fine": ("classes",),
    "classes": ("class_logits",),
    "halved": ("level",),
    "level": ("tower",),
    "tower": ("tower", "log_distances", "cell_logits"),
    "doubled": ("doubled", "heatmaps"),
    "qkv": ("products", "mixed", "weighed", "turned", "crossed"),
    "turned": ("rotated",),
    "crossed": ("rotated",),
    "rotated": ("products",),
    "queries": ("products",),
    "products": ("weights", "below"),
    "below": ("powers",),
    "powers": ("spans", "weighed"),
    "spans": ("parts",),
    "parts": ("total",),
    "total": ("root",),
    "root": ("inverse",),
    "inverse": ("mixed",),
    "weighed": ("mixed",),
    "weights": ("mixed",),
    "mixed": ("output",),
    "expand": ("gelu", "gate"),
    "gate": ("gelu",),
    "gelu": ("contract",),
    "patches": ("tokens",),
    "output": ("attended",),
    "contract": ("tokens",),
    "logits": ("scores",),
    "attended": ("squares", "scaled", "normalised", "tokens"),
    "squares": ("variance",),
    "variance": ("stabilised",),
    "stabilised": ("scale",),
    "scale": ("normalised",),
    "scaled": ("normalised",),
}
"""Sites, by the end of their names, and those that the ops make that read them, in the same block."""
READ_BY_NEXT = ("squares", "scaled", "normalised", "attended", "averaged")
"""What the next block makes of a block's `tokens`."""


def word(site: str) -> str:
    """`block3/norm1/squares` -> `squares`."""
    return site.rpartition("/")[2]


def block_of(site: str) -> int | str:
    """`block3/norm1/squares` -> 3; `OUTSIDE` for what is in no block."""
    first = site.partition("/")[0]
    return int(first[5:]) if first.startswith("block") and first[5:].isdecimal() else OUTSIDE


def readers(site: str) -> tuple[str, ...]:
    """What the ops make that read a site, by the last word."""
    return next((made for end, made in READERS.items() if f"/{site}".endswith(f"/{end}")), ())


def rule_of(made: str, block: int | str, recipe: Recipe) -> Rule | None:
    """The rule for the op that puts out a site, by its last word and where it is."""
    for rule in reversed(recipe.rules):
        if rule.reaches(OPS.get(made)) and made in (rule.sites or [made]) and block in (rule.blocks or [block]):
            return rule
    return None


def activation(site: str, recipe: Recipe) -> str:
    """How the op that puts out a site computes: `Rule.activation`."""
    rule = rule_of(word(site), block_of(site), recipe)
    return rule.activation if rule else "float32"


def weight(site: str, recipe: Recipe) -> str:
    """What the weights of the op that puts out a site become: `Rule.weight`."""
    rule = rule_of(word(site), block_of(site), recipe)
    return rule.weight if rule else "float32"


def roundings(site: str, recipe: Recipe) -> tuple[str, ...]:
    """How the recipe rounds a site with one range for all pictures, in order: `int8`, `int16`.

    First as the op that makes it, then as those that read it, where they do otherwise.
    """
    block, name = block_of(site), word(site)
    ops: list[tuple[str, int | str]] = [(made, block) for made in (name, *readers(site))]
    if name == "tokens":
        # The last block's are read by the last norm.
        after: list[int | str] = [0] if block == OUTSIDE else [int(block) + 1, OUTSIDE]
        ops += [(made, each) for each in after for made in READ_BY_NEXT]
    rules = [rule_of(made, where, recipe) for made, where in ops]
    return tuple(dict.fromkeys(rule.activation.partition("-")[0] for rule in rules if rule and rule.is_static))


def check_sites(calibration: ActivationRanges) -> None:
    """Raises `ConversionError` naming the first site that the graph does not have: it had others once."""
    for site in calibration.ranges:
        if word(site) not in (*OPS, *FIXED):
            raise ConversionError(
                f"the model's ranges for {calibration.recipe} are from another edgevit, whose graph had {site}: "
                "fine-tune the model again, or calibrate with pictures: --calibration DIR"
            )


def check_layers(sites: Iterable[str]) -> None:
    """Raises `ConversionError` for a head's linear layer that no rule of a recipe could reach: it would stay float."""
    for site in sites:
        if word(site) not in LINEAR:
            raise ConversionError(
                f"recipes do not know the linear layer {site!r} (known: {', '.join(LINEAR)}): give it a row in "
                "`LINEAR` of converters/quantize/recipes.py, and what reads it in `READERS` of activations.py"
            )


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


TensorRanges = dict[str, dict[str, Any]]
"""Tensor -> its ends, "min" and "max", each with as many dimensions as the tensor: as ai-edge-quantizer takes them."""


def tensor_ranges(
    flatbuffer: bytes, recipe: Recipe, calibration: ActivationRanges, exact: TensorRanges
) -> TensorRanges:
    """The ranges of all float tensors that `recipe` gives one.

    exact: of tensors that belong to no site, because no picture has a part in them.

    Raises `ConversionError` naming the first tensor that has none.
    """
    if calibration.recipe != recipe.name:
        raise ConversionError(f"the model's ranges were learned for {calibration.recipe}, not for {recipe.name}")
    check_sites(calibration)
    ranges, values = dict(exact), _values(flatbuffer)
    for tensor, rank in _static_tensors(flatbuffer, recipe):
        if tensor in exact:
            continue
        # Without an activation behind it, what the head's layer puts out is the scores, values of any size.
        site = VALUES if tensor in values else site_of(tensor, calibration.ranges)
        if site is None:
            raise ConversionError(
                f"no range was learned for the tensor {tensor}, which {recipe.name} quantizes: fine-tune the model "
                f"again for {recipe.name}, or calibrate with pictures: --calibration DIR"
            )
        low, high = FIXED[word(site)] if word(site) in FIXED else calibration.ranges[site]
        ranges[tensor] = {"min": np.full((1,) * rank, low), "max": np.full((1,) * rank, high)}
    return ranges


def _values(flatbuffer: bytes) -> Collection[str]:
    """The output `scores` where a linear layer makes it: it has its own name, and the range of `VALUES`."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    return [
        name
        for op in subgraph.operators
        if op_name(model.operatorCodes[op.opcodeIndex]) == LINEAR[VALUES]
        and (name := tensor_name(subgraph.tensors[op.outputs[0]])) == "scores"
    ]


def _static_tensors(flatbuffer: bytes, recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Name and rank of each float activation at an op with static ranges."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    subgraph = model.subgraphs[0]
    for op in subgraph.operators:
        rule = rule_for(
            op_name(model.operatorCodes[op.opcodeIndex]), tensor_name(subgraph.tensors[op.outputs[0]]), recipe
        )
        if rule is None or not rule.is_static:
            continue
        for index in (*op.inputs, *op.outputs):
            if index < 0:  # an input left out
                continue
            tensor = subgraph.tensors[index]
            constant = model.buffers[tensor.buffer].data is not None
            if tensor.type == schema.TensorType.FLOAT32 and not constant:
                yield tensor_name(tensor), len(tensor.shape)
    for op_word, ends in (("INPUT", subgraph.inputs), ("OUTPUT", subgraph.outputs)):  # ops too, to the quantizer
        for tensor in (subgraph.tensors[index] for index in ends):
            rule = rule_for(op_word, tensor_name(tensor), recipe)
            if rule is not None and rule.is_static and tensor.type == schema.TensorType.FLOAT32:
                yield tensor_name(tensor), len(tensor.shape)


def rule_for(op: str, output: str, recipe: Recipe) -> Rule | None:
    """The rule that ai-edge-quantizer will find for an op, by its name and that of what it puts out: the last."""
    matching = [rule for rule in recipe.rules if rule.reaches(op) and re.match(rule.pattern, output)]
    return matching[-1] if matching else None
