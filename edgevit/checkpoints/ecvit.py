"""EdgeCrafter's ECViT in safetensors (Liu et al. 2026, https://arxiv.org/abs/2603.18739): a backbone for dense tasks.

A stem of four convolutions, the first three with a batch norm, which is folded into them; one register and no class
token; rotary positions alone, whose periods the file holds, and from them follow heads and theta. It has no norm behind
its blocks and its detectors read the last two as they are: here the model's own, fresh, stands in front of what is made
of the tokens. The tokens after each block are the library's.
"""

from __future__ import annotations

import numpy as np

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    BatchNorm,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import Grid, ViTConfig
from edgevit.errors import CheckpointError

FIRST, LAST = "patch_embed.convs.0.conv.weight", "patch_embed.proj.weight"
PERIODS = "rope_embed.periods"
PATCH, SIDE = 16, 640
"""The one that there is; and the side of the pictures that its detectors are trained on."""
EPSILON = 1e-6
THETA = 100.0
"""Of all that were published."""
DROPPED = {PERIODS: "constants, which told heads and theta"}


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and {LAST, FIRST} <= set(source.tensors)


def facts(source: CheckpointFile) -> Facts:
    width = source.shape(LAST, "width", "channels", "3", "3")[0]
    heads, theta = _turning(source, width)
    return Facts(
        families=("ecvit",),
        width=width,
        depth=source.count("blocks.", "."),
        mlp_width=source.shape("blocks.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=PATCH,
        positions=0,
        grid=Grid(SIDE // PATCH, SIDE // PATCH),
        heads=heads,
        registers=source.shape("register_token", "1", "R", "width")[1],
        pooling="mean",
        epsilon=EPSILON,
        fields={
            "stem": "convolutions",
            "class_token": False,
            "rotary": "centred",
            "rotary_theta": theta,
            "learned_positions": False,
        },
        notes=(
            "it has no norm behind its blocks: a fresh one is put there, for heads to be trained on",
            f"no file says for which pictures it is: patches of {PATCH} and a base resolution of {SIDE} are assumed",
        ),
    )


def _turning(source: CheckpointFile, width: int) -> tuple[int, float]:
    """Heads and theta of rotary positions, by their periods: a head has four channels for each, and they are
    theta^(2 i / n), with i from 0 and n twice their number."""
    if PERIODS not in source.tensors:
        raise CheckpointError(f"{source.path} is an ECViT without {PERIODS}, by which heads and theta are told")
    periods = np.asarray(source.tensors[PERIODS], np.float64)
    count = periods.size
    if periods.ndim != 1 or not count or width % (4 * count):
        raise CheckpointError(f"{source.path}: {PERIODS} has the shape {list(periods.shape)}, and the width is {width}")
    # Each knows it to some digits of float32: so 100 is found as 100. A single one, which is 1, knows nothing of it.
    theta = float(f"{abs(periods[-1]) ** (count / (count - 1)):.5g}") if count > 1 else THETA
    if not np.allclose(periods, theta ** (np.arange(count) / count), rtol=1e-4):
        raise CheckpointError(f"{source.path}: {PERIODS} are no powers of one number, from 1 on: {periods[:4]}, ...")
    return width // (4 * count), theta


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape, but for the last norm's, which is fresh."""
    table = {
        "positions/register_tokens": WeightRule(("register_token",), TOKENS),
        "patches/projection/kernel": WeightRule((LAST,), TORCH_CONV),
        "patches/projection/bias": WeightRule(("patch_embed.proj.bias",), SAME_1D),
    }
    for index in range(len(config.stem_widths)):
        theirs = f"patch_embed.convs.{index}"
        norm = BatchNorm(f"{theirs}.norm")
        table |= {
            f"patches/stem{index}/kernel": WeightRule((f"{theirs}.conv.weight",), TORCH_CONV, norm=norm),
            f"patches/stem{index}/bias": WeightRule((), SAME_1D, norm=norm),
        }
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"blocks.{index}"
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
            **torch_linear(f"{ours}/attention/qkv", f"{theirs}.attn.qkv"),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.attn.proj"),
            **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2"),
        }
    return table
