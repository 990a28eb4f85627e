"""The same function with outlier activations: channels grown where another layer can shrink them back, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

FACTOR = 64.0
"""A power of two: nothing is rounded."""


def with_outliers(model: Any) -> Any:
    """A copy of an edgevit ViT that computes the same, with outliers behind norms, in queries and in values.

    As large models have them (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339): few channels, much wider.
    """
    from edgevit.model import build, named_weights

    copy, width = build(model.config), model.config.width
    arrays = {name: np.array(variable) for name, variable in named_weights(model).items()}
    for index in range(model.config.depth):
        block, some = f"block{index}", slice(index, None, 37)
        for norm, reader in ((f"{block}/norm1", f"{block}/attention/qkv"), (f"{block}/norm2", f"{block}/expand")):
            arrays[f"{norm}/gamma"][some] *= FACTOR
            arrays[f"{norm}/beta"][some] *= FACTOR
            arrays[f"{reader}/kernel"][some] /= FACTOR
        kernel, bias = (arrays[f"{block}/attention/qkv/{part}"] for part in ("kernel", "bias"))
        for part, scale in enumerate((FACTOR, 1.0 / FACTOR, FACTOR)):  # queries, keys, values
            channels = slice(part * width + index, (part + 1) * width, 37)
            kernel[:, channels] *= scale
            bias[channels] *= scale
        arrays[f"{block}/attention/output/kernel"][some] /= FACTOR
    for name, variable in named_weights(copy).items():
        variable.assign(arrays[name])
    return copy
