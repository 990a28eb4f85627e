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
from edgevit.converters.arithmetic import Linear
from edgevit.converters.lowering import Folded
from edgevit.converters.ranges import Moments
from edgevit.converters.recipes import Recipe
from edgevit.converters.rounding import SMALLEST_BOUND
from edgevit.converters.sites import weight
from numpy.typing import NDArray

DAMPING = 0.01
"""Of the mean second moment, added to each: GPTQ's own."""


def correct(folded: Folded, moments: Mapping[str, Moments], recipe: Recipe, known: dict[str, Linear]) -> Folded:
    """The linear layers that the recipe rounds, each by the moments of what it reads; the others as they are.

    known: what was already found of these layers, and what is found now, by site.
    """
    found = layers(folded)
    for site, layer in found.items():
        if site in moments and weight(site, recipe) == "int8":
            if site not in known:
                seen = moments[site]
                known[site] = corrected(layer, seen.second / seen.weight, seen.first / seen.weight)
            found[site] = known[site]
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
    return replace(folded, patches=found["patches"], blocks=blocks, head=found["logits"])


def layers(folded: Folded) -> dict[str, Linear]:
    """Linear layers by the site that they put out; the last block's queries are rows of its `qkv`."""
    found = {"patches": folded.patches, "logits": folded.head}
    for index, block in enumerate(folded.blocks):
        name = f"block{index}"
        found |= {f"{name}/attention/qkv": block.qkv, f"{name}/attention/queries": block.qkv}
        found |= {f"{name}/output": block.output, f"{name}/expand": block.expand, f"{name}/contract": block.contract}
    return found


def corrected(layer: Linear, moments: NDArray[Any], mean: NDArray[Any]) -> Linear:
    """The layer with weights that int8 holds exactly: `rounding.round_weight` gives them back.

    moments: E[x xᵀ] of the inputs, [in, in]; mean: E[x], [in].
    """
    exact = np.asarray(layer.weight, np.float64).reshape(len(layer.weight), -1)
    scale = np.maximum(np.abs(exact).max(axis=1), SMALLEST_BOUND) / 127.0
    widest = np.abs(exact).argmax(axis=1)  # stays: the scale is read off it
    order = np.argsort(-np.diag(moments), kind="stable")
    hessian = moments[np.ix_(order, order)] + DAMPING * np.mean(np.diag(moments)) * np.eye(len(order))
    factor = np.linalg.cholesky(np.linalg.inv(hessian)).T
    left, rounded = exact[:, order].copy(), np.empty_like(exact)
    for step, column in enumerate(order):
        integers = np.clip(np.round(left[:, step] / scale), -127.0, 127.0)
        held = widest == column
        integers[held] = 127.0 * np.sign(exact[held, column])
        rounded[:, column] = integers * scale
        error = (left[:, step] - rounded[:, column]) / factor[step, step]
        left[:, step + 1 :] -= np.outer(error, factor[step, step + 1 :])
    bias = np.asarray(layer.bias, np.float64) + (exact - rounded) @ mean
    return Linear(rounded.reshape(layer.weight.shape).astype(np.float32), bias.astype(np.float32))
