"""The same function in other weights, exactly: with outliers that other layers undo, or in a wider model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

FACTOR = 64.0
"""A power of two: nothing is rounded."""


def with_outliers(model: Any, factors: Sequence[float] = (FACTOR,)) -> Any:
    """A copy of an edgevit ViT that computes the same, with outliers behind norms, in queries and in values.

    As large models have them (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339): few channels, much wider.
    factors: by how much, for each equal share of the width one.
    """
    width = model.config.width
    arrays = _arrays(model)
    for index in range(model.config.depth):
        block, some = f"block{index}", slice(index, None, 37)
        grown = np.repeat(np.asarray(factors, np.float32), width // len(factors))[some]
        for norm, reader in ((f"{block}/norm1", f"{block}/attention/qkv"), (f"{block}/norm2", f"{block}/expand")):
            arrays[f"{norm}/gamma"][some] *= grown
            arrays[f"{norm}/beta"][some] *= grown
            arrays[f"{reader}/kernel"][some] /= grown[:, None]
        kernel, bias = (arrays[f"{block}/attention/qkv/{part}"] for part in ("kernel", "bias"))
        for part, scale in enumerate((grown, 1.0 / grown, grown)):  # queries, keys, values
            channels = slice(part * width + index, (part + 1) * width, 37)
            kernel[:, channels] *= scale
            bias[channels] *= scale
        arrays[f"{block}/attention/output/kernel"][some] /= grown[:, None]
    return _built(model.config, arrays)


def widened(model: Any, times: int) -> Any:
    """The same function with `times` as many channels, heads and hidden units (Net2Net, Chen et al. 2016,
    https://arxiv.org/abs/1511.05641): each is there several times, and what reads it splits its weights at random.

    A LayerNorm's mean and variance stay as they are. Not more accurate than what it was made of; but as wide, and its
    weights as many and as various, as those of a larger model.
    """
    config, arrays, random = model.config, _arrays(model), np.random.default_rng(times)

    def split(kernel: Any) -> Any:
        """[in, out] -> [times * in, out]: shares of each weight that come to one."""
        shares = random.dirichlet(np.full(times, 2.0), kernel.shape).astype(np.float32)
        return np.concatenate([kernel * shares[..., copy] for copy in range(times)])

    def repeated(values: Any, parts: int = 1) -> Any:
        """[..., parts * n] -> [..., parts * times * n], each part by itself."""
        pieces = np.split(values, parts, axis=-1)
        return np.concatenate([piece for piece in pieces for _ in range(times)], axis=-1)

    for name, values in arrays.items():
        if name.endswith(("head/linear/kernel", "distillation_head/linear/kernel")):
            arrays[name] = split(values)
        elif name.startswith("block") and name.endswith("/kernel"):
            arrays[name] = repeated(split(values), 3 if "/qkv/" in name else 1)
        elif not name.endswith("head/linear/bias"):
            arrays[name] = repeated(values, 3 if "/qkv/" in name else 1)
    wide = {name: times * getattr(config, name) for name in ("width", "heads", "mlp_width")}
    return _built(config.with_(**wide), arrays)


def _arrays(model: Any) -> dict[str, Any]:
    from edgevit.model import named_weights

    return {name: np.array(variable) for name, variable in named_weights(model).items()}


def _built(config: Any, arrays: dict[str, Any]) -> Any:
    from edgevit.model import build, named_weights

    model = build(config)
    for name, variable in named_weights(model).items():
        variable.assign(arrays[name])
    return model
