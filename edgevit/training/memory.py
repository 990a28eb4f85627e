"""How many pictures learn at once: what a step keeps for its gradients grows with tokens, attention's share with N².

A batch that would take more is shared out in parts, one after the other, whose gradients are added up: the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from edgevit.config import ViTConfig
from edgevit_runtime.resolution import Resolution

MOST_BYTES = 1.0e9
"""Of what all pictures that learn at once keep. A CPU is as fast with parts as with the whole."""


def kept_bytes(config: ViTConfig, resolution: Resolution) -> float:
    """Of one picture, in float32, as measured: DeiT-Tiny 0.09 GB at 256, DeiT-Small 0.16 at 224."""
    tokens = config.tokens(resolution)
    linear = tokens * (10 * config.width + 5 * config.mlp_width)
    return 4.0 * config.depth * (linear + 3 * config.heads * tokens**2)


Learning = Callable[..., tuple[Any, Any]]
"""Tensors, each [batch, ...] -> the loss and its gradients."""


def learn_in(parts: Sequence[slice], learn: Learning, tensors: Sequence[Any], zeros: Sequence[Any]) -> tuple[Any, Any]:
    """`learn`, part by part: the mean over all pictures. zeros: what gradients are added to."""
    if len(parts) == 1:
        return learn(*tensors)
    loss, gradients = 0.0, list(zeros)
    for part in parts:
        found, slopes = learn(*(each[part] for each in tensors))
        share = (part.stop - part.start) / parts[-1].stop
        loss += share * found
        gradients = [mean + share * slope for mean, slope in zip(gradients, slopes, strict=True)]
    return loss, gradients


def parts_of(batch: int, picture_bytes: float) -> list[slice]:
    """Parts of a batch, none larger by more than a picture than another."""
    count = min(batch, max(1, -int(-batch * picture_bytes // MOST_BYTES)))
    ends = [batch * index // count for index in range(count + 1)]
    return [slice(begin, end) for begin, end in pairwise(ends)]
