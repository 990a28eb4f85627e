"""Weights rounded so that layers, not weights, come out right; and biases that take up what is left.

GPTQ (Frantar et al. 2023, https://arxiv.org/abs/2210.17323): column after column, each one's rounding error is made
good by those not rounded yet, as the inputs' second moments say. Bias correction: Nagel et al. 2019
(https://arxiv.org/abs/1906.04721), section 4.2, of the weights' part of the error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.arithmetic import Linear
from converters.graph.folded import Folded
from converters.graph.stem import stem_site
from converters.quantize.activations import weight
from converters.quantize.fake_rounding import BLOCK, SMALLEST_BOUND, int4_scale, round_weight
from converters.quantize.ranges import Moments
from converters.quantize.recipes import Recipe
from edgevit.errors import ConversionError

DAMPING = 0.01
"""Of the mean second moment, added to each: GPTQ's own."""
AT_ONCE = 64
"""Columns after which the rest is corrected, by one product: GPTQ's own, for speed."""
CLIPPING = np.linspace(1.0, 0.4, 25)
"""Shares of a block's widest weight that are tried for the end of its int4 numbers."""


RoundedLayers = dict[tuple[str, str], Linear]
"""Rounded layers by site and what their weights became."""


def round_layers(folded: Folded, moments: Mapping[str, Moments], recipe: Recipe, rounded: RoundedLayers) -> Folded:
    """The linear layers that the recipe rounds, each by the moments of what it reads; the others as they are.

    rounded: what was already found of these layers, and what is found now.
    A layer without moments is rounded to the nearest.
    """
    found = linear_layers(folded)
    for site, layer in found.items():
        kind = kind_of(site, layer, recipe)
        if site in moments and kind in GRIDS:
            if (site, kind) not in rounded:
                seen = moments[site]
                rounded[site, kind] = gptq(layer, seen.second / seen.weight, seen.first / seen.weight, kind)
            found[site] = rounded[site, kind]
        elif kind == "int4":
            found[site] = _on_int4_grid(layer)
    return _replaced(folded, found)


def rounded_to_nearest(folded: Folded, recipe: Recipe) -> Folded:
    """Without pictures: the int4 weights as they will be, because nothing else rounds their scales as XNNPACK does."""
    found = linear_layers(folded)
    for site, layer in found.items():
        if kind_of(site, layer, recipe) == "int4":
            found[site] = _on_int4_grid(layer)
    return _replaced(folded, found)


def _on_int4_grid(layer: Linear) -> Linear:
    """To the nearest: the quantizer would take scales that XNNPACK does not have."""
    return Linear(np.asarray(round_weight(layer.weight, "int4")), layer.bias)


def kind_of(site: str, layer: Linear, recipe: Recipe) -> str:
    """What the recipe makes of the layer's weights. Raises `ConversionError` for int4 ones that make no blocks."""
    kind = weight(site, recipe)
    if kind == "int4":
        check_block(site, np.shape(layer.weight)[-1])
    return kind


def check_block(layer: str, inputs: int) -> None:
    """Raises `ConversionError` where a layer's inputs make no whole number of int4 blocks."""
    if inputs % BLOCK:
        raise ConversionError(
            f"int4 weights share a scale {BLOCK} at a time, and {layer} has {inputs} inputs: choose int8"
        )


def _replaced(folded: Folded, found: Mapping[str, Linear]) -> Folded:
    blocks = tuple(
        replace(
            block,
            qkv=found[f"block{index}/attention/qkv"],
            output=found[f"block{index}/output"],
            expand=found[f"block{index}/expand"],
            contract=found[f"block{index}/contract"],
        )
        for index, block in enumerate(folded.blocks)
    )
    stem = tuple(found[stem_site(index)] for index in range(len(folded.stem)))
    return replace(folded, patches=found["patches"], stem=stem, blocks=blocks, heads=folded.with_head_layers(found))


def linear_layers(folded: Folded) -> dict[str, Linear]:
    """Linear layers by the site that they put out; the last block's queries are rows of its `qkv`."""
    found = {"patches": folded.patches, **folded.head_layers}
    found |= {stem_site(index): layer for index, layer in enumerate(folded.stem)}
    for index, block in enumerate(folded.blocks):
        name = f"block{index}"
        found |= {f"{name}/attention/qkv": block.qkv, f"{name}/attention/queries": block.qkv}
        found |= {f"{name}/output": block.output, f"{name}/expand": block.expand, f"{name}/contract": block.contract}
    return found


def gptq(layer: Linear, moments: NDArray[Any], mean: NDArray[Any], kind: str = "int8") -> Linear:
    """The layer with weights that `kind` holds exactly: `rounding.round_weight` gives them back.

    moments: E[x xᵀ] of the inputs, [in, in]; mean: E[x], [in]. All zero (black pictures), they say nothing, and
        the weights are rounded to the nearest.
    """
    exact = np.asarray(layer.weight, np.float64).reshape(len(layer.weight), -1)
    if not np.diag(moments).any():
        return Linear(np.asarray(round_weight(layer.weight, kind)), layer.bias)
    scale, held = GRIDS[kind](exact, np.diag(moments))
    top = TOPS[kind]
    order = np.argsort(-np.diag(moments), kind="stable")
    hessian = moments[np.ix_(order, order)] + DAMPING * np.mean(np.diag(moments)) * np.eye(len(order))
    factor = np.linalg.cholesky(np.linalg.inv(hessian)).T
    left, rounded = exact[:, order].copy(), np.empty_like(exact)
    for start in range(0, len(order), AT_ONCE):
        end = min(start + AT_ONCE, len(order))
        errors = np.empty((len(exact), end - start))
        for step, column in enumerate(order[start:end], start):
            integers = np.clip(np.round(left[:, step] / scale[:, column]), -top, top)
            integers[held[:, column]] = top * np.sign(exact[held[:, column], column])
            rounded[:, column] = integers * scale[:, column]
            errors[:, step - start] = error = (left[:, step] - rounded[:, column]) / factor[step, step]
            left[:, step + 1 : end] -= np.outer(error, factor[step, step + 1 : end])
        left[:, end:] -= errors @ factor[start:end, end:]
    bias = np.asarray(layer.bias, np.float64) + (exact - rounded) @ mean
    return Linear(rounded.reshape(layer.weight.shape).astype(np.float32), bias.astype(np.float32))


def _channels(weight: NDArray[Any], _: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The scale of each weight [out, in], and which must stay at its end, for the scale to be read off it."""
    scale = np.maximum(np.abs(weight).max(axis=1, keepdims=True), SMALLEST_BOUND) / TOPS["int8"]
    return np.broadcast_to(scale, weight.shape), _widest(weight)


def _blocks(weight: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same by blocks, whose widest weights are clipped as far as it lessens the error. second: E[x²], [in]."""
    blocks, counts = weight.reshape(len(weight), -1, BLOCK), second.reshape(-1, BLOCK)
    widest = np.abs(blocks).max(axis=-1, keepdims=True)
    best, least = np.zeros_like(widest), np.full_like(widest, np.inf)
    for share in CLIPPING:
        scale = np.asarray(int4_scale(widest * share / TOPS["int4"]), np.float64)
        rounded = np.clip(np.round(blocks / scale), -TOPS["int4"], TOPS["int4"]) * scale
        error = (np.square(rounded - blocks) * counts).sum(axis=-1, keepdims=True)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    return np.broadcast_to(best, blocks.shape).reshape(weight.shape), _widest(blocks).reshape(weight.shape)


def _widest(weight: NDArray[Any]) -> NDArray[Any]:
    """Which one it is along the last axis."""
    return np.asarray(np.abs(weight).argmax(axis=-1)[..., None] == np.arange(weight.shape[-1]))


GRIDS = {"int8": _channels, "int4": _blocks}
TOPS = {"int8": 127.0, "int4": 7.0}
