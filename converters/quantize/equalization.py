"""Exact transforms of the folded weights, after which one range a tensor serves all of its channels.

Inside attention everything has a free scale or offset somewhere. Channel by channel:
- queries times s and keys over s give the same products; both take the geometric mean of their widths;
- an offset of the keys moves all products of a query alike, which its softmax does not see: keys are centred;
- each query's weights sum to one, so an offset of the values goes through attention as it is: values are centred,
  and the output projection's bias takes the offset over. Whatever share of a sum int8 weights lose is then lost
  towards the mean value, not towards zero;
- a scale of the values goes into the output projection's columns.
Where queries and keys have norms of their own, those see neither scale nor offset: they are left as they are. Where
they are turned (rotary positions), two channels that turn together take one scale, and an offset would turn, too.
Between a norm and the linear layer behind it nothing is free any more (`lowering.fold` put gamma there), so that a
factor is put in between, [width], and taken out of the layer's columns: SmoothQuant's migration (Xiao et al. 2023,
https://arxiv.org/abs/2211.10438), for LayerNorm in RepQ-ViT (Li et al. 2023, https://arxiv.org/abs/2212.08254).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.arithmetic import Linear
from converters.graph.folded import Block
from converters.quantize.ranges import ActivationSample
from edgevit.config import ViTConfig

BEHIND_NORMS = ("qkv", "expand")
"""The layers of a block that may be given a factor for their inputs."""
STRENGTH = 0.5
"""How much of the difficulty goes from activations to weights: SmoothQuant's alpha."""
FLOOR = 1e-3
"""The least width of a channel, as a share of the widest: a dead one needs no scale."""
TINY = 1e-12
TAIL = 1e-3
"""The share of a channel's numbers beyond its width, at each end."""


def equalize(
    config: ViTConfig, blocks: tuple[Block, ...], samples: Mapping[str, ActivationSample], factors: Collection[str]
) -> tuple[Block, ...]:
    """The same function in blocks that are easier to round. `samples`: what they compute now.

    factors: those of `BEHIND_NORMS` to put a factor in front of, too, an op each.
    """
    return tuple(_block(config, f"block{index}", block, samples, factors) for index, block in enumerate(blocks))


def _block(
    config: ViTConfig, name: str, block: Block, samples: Mapping[str, ActivationSample], factors: Collection[str]
) -> Block:
    block = _attention(config, block, _qkv(config, name, samples))
    if "qkv" in factors:
        layer, factor = _migrated(block.qkv, samples[f"{name}/norm1/normalised"].joined())
        block = replace(block, qkv=layer, qkv_factor=factor)
    if "expand" in factors:
        layer, factor = _migrated(block.expand, samples[f"{name}/norm2/normalised"].joined())
        block = replace(block, expand=layer, expand_factor=factor)
    return block


def _qkv(config: ViTConfig, name: str, samples: Mapping[str, ActivationSample]) -> tuple[Any, Any, Any]:
    """Low, mean and high of each channel of queries, keys and values, each [3 * width]."""
    parts = [samples[f"{name}/attention/qkv"].joined()]
    if parts[0].shape[1] < 3 * config.width:  # the last block, whose queries are apart
        parts.insert(0, samples[f"{name}/attention/queries"].joined())
    low, high = (np.concatenate([np.quantile(part, share, axis=0) for part in parts]) for share in (TAIL, 1.0 - TAIL))
    return low, np.concatenate([part.mean(axis=0, dtype=np.float64) for part in parts]), high


def _attention(config: ViTConfig, block: Block, channels: tuple[Any, Any, Any]) -> Block:
    low, mean, high = channels
    width = config.width
    offset = np.concatenate([np.zeros(width), mean[width:]])  # queries have none to give
    if block.query_gain is not None or config.rotary:
        offset[: 2 * width] = 0.0
    spread = np.maximum(high - offset, offset - low)
    queries, keys, values = (_alive(part) for part in np.split(spread, 3))
    weight, bias = _wide(block.qkv)
    out_weight, out_bias = _wide(block.output)
    out_bias = out_bias + out_weight @ offset[2 * width :]

    if config.rotary:
        queries, keys = (_paired(each, config) for each in (queries, keys))
    balance = np.sqrt(keys / queries) if block.query_gain is None else np.ones(width)
    target = np.sqrt(keys * queries).max()  # as wide as queries and keys come out: they share a range with values
    migration = values**-STRENGTH * _columns(out_weight) ** (1.0 - STRENGTH)
    migration *= target / (migration * values).max()
    scale = np.concatenate([balance, 1.0 / balance, migration])
    return replace(
        block,
        qkv=_narrow(weight * scale[:, None], (bias - offset) * scale),
        output=_narrow(out_weight / migration, out_bias),
    )


def _paired(spread: Any, config: ViTConfig) -> Any:
    """[width]: the wider of two channels that turn together, half a head apart, for both."""
    halves = spread.reshape(config.heads, 2, config.head_width // 2)
    return np.broadcast_to(halves.max(axis=1, keepdims=True), halves.shape).reshape(-1)


def _migrated(layer: Linear, inputs: NDArray[np.float32]) -> tuple[Linear, NDArray[np.float32]]:
    """The layer for inputs times a factor, and the factor, [in]."""
    weight, bias = _wide(layer)
    spread = _alive(np.abs(inputs).max(axis=0).astype(np.float64))
    factor = _columns(weight) ** (1.0 - STRENGTH) / spread**STRENGTH
    factor = (factor / np.exp(np.log(factor).mean())).astype(np.float32)
    return _narrow(weight / factor, bias), factor


def _columns(weight: Any) -> Any:
    """[out, in] -> [in]: how much of its rows' scales each column takes."""
    return _alive((np.abs(weight) / np.maximum(np.abs(weight).max(axis=1, keepdims=True), TINY)).max(axis=0))


def _alive(spread: Any) -> Any:
    """[channels]: none narrower than `FLOOR` says."""
    return np.maximum(spread, max(FLOOR * spread.max(), TINY))


def _wide(layer: Linear) -> tuple[Any, Any]:
    return np.asarray(layer.weight, np.float64), np.asarray(layer.bias, np.float64)


def _narrow(weight: Any, bias: Any) -> Linear:
    return Linear(weight.astype(np.float32), bias.astype(np.float32))
