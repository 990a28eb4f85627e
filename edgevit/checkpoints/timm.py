"""timm's ViT and DeiT checkpoints in safetensors (https://github.com/huggingface/pytorch-image-models).

Every tensor of the checkpoint goes to one weight of the model and every weight gets one tensor, or nothing is
imported: the error lists what is missing, unexpected and of another shape, by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.config import VARIANTS, ViTConfig, variant_config
from edgevit.errors import CheckpointError, ConfigError
from edgevit.model import ViT, build, named_weights

Arrays = Mapping[str, NDArray[Any]]

# timm's name -> ours. In the blocks, {i} is the block's number.
_OUTER = {
    "cls_token": "positions/class_token",
    "pos_embed": "positions/positions",
    "patch_embed.proj.weight": "patches/projection/kernel",
    "patch_embed.proj.bias": "patches/projection/bias",
    "norm.weight": "norm/gamma",
    "norm.bias": "norm/beta",
    "head.weight": "head/linear/kernel",
    "head.bias": "head/linear/bias",
}
_DISTILLED = {
    "dist_token": "positions/distillation_token",
    "head_dist.weight": "distillation_head/linear/kernel",
    "head_dist.bias": "distillation_head/linear/bias",
}
_TOKENS = ("cls_token", "dist_token", "pos_embed")
_BLOCK = {
    "blocks.{i}.norm1.weight": "block{i}/norm1/gamma",
    "blocks.{i}.norm1.bias": "block{i}/norm1/beta",
    "blocks.{i}.attn.qkv.weight": "block{i}/attention/qkv/kernel",
    "blocks.{i}.attn.qkv.bias": "block{i}/attention/qkv/bias",
    "blocks.{i}.attn.proj.weight": "block{i}/attention/output/kernel",
    "blocks.{i}.attn.proj.bias": "block{i}/attention/output/bias",
    "blocks.{i}.norm2.weight": "block{i}/norm2/gamma",
    "blocks.{i}.norm2.bias": "block{i}/norm2/beta",
    "blocks.{i}.mlp.fc1.weight": "block{i}/expand/kernel",
    "blocks.{i}.mlp.fc1.bias": "block{i}/expand/bias",
    "blocks.{i}.mlp.fc2.weight": "block{i}/contract/kernel",
    "blocks.{i}.mlp.fc2.bias": "block{i}/contract/bias",
}


def names(config: ViTConfig) -> dict[str, str]:
    """Every tensor name that a timm checkpoint of this shape has -> the model's weight name."""
    mapping = {**_OUTER, **(_DISTILLED if config.distilled else {})}
    for index in range(config.depth):
        mapping.update({theirs.format(i=index): ours.format(i=index) for theirs, ours in _BLOCK.items()})
    return mapping


def read(path: str | Path) -> dict[str, NDArray[Any]]:
    """All tensors of a safetensors file, by name. Raises `CheckpointError` for a file that is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no such checkpoint: {path}")
    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    return tensors


def config_for(variant: str, tensors: Arrays) -> ViTConfig:
    """The variant's config with what the checkpoint decides: its classes and its position grid."""
    config = variant_config(variant)
    changes: dict[str, Any] = {}
    head, positions = tensors.get("head.weight"), tensors.get("pos_embed")
    if head is not None and head.ndim == 2:
        changes["classes"] = int(head.shape[0])
    if positions is not None and positions.ndim == 3:
        patches = positions.shape[1] - config.prefix
        grid = math.isqrt(max(0, patches))
        if grid and grid * grid == patches:
            changes["base_resolution"] = grid * config.patch
    return config.with_(**changes)


def convert_tensors(
    config: ViTConfig, tensors: Arrays, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[Any]]:
    """The checkpoint's tensors as the model's weights, by the model's names.

    shapes: the model's weight shapes by name.
    Raises `CheckpointError` that accounts for every tensor that does not fit.
    """
    mapping = names(config)
    missing = [name for name in mapping if name not in tensors]
    unexpected = sorted(name for name in tensors if name not in mapping)
    weights, misshapen = {}, []
    for theirs, ours in mapping.items():
        if theirs not in tensors:
            continue
        value = _to_keras(theirs, tensors[theirs])
        if value.shape != shapes[ours]:
            misshapen.append(f"{theirs} {list(tensors[theirs].shape)}, wanted {_wanted(theirs, shapes[ours])}")
        else:
            weights[ours] = value.astype(np.float32)
    if missing or unexpected or misshapen:
        raise CheckpointError(_account(config, missing, unexpected, misshapen, tensors))
    return weights


def _to_keras(name: str, value: NDArray[Any]) -> NDArray[Any]:
    """PyTorch's layout -> Keras's: Linear [out, in] -> [in, out]; Conv2d [out, in, h, w] -> [h, w, in, out]."""
    if name in _TOKENS:
        return value[0] if value.ndim == 3 else value
    if value.ndim == 4:
        return value.transpose(2, 3, 1, 0)
    return value.T if value.ndim == 2 else value


def _wanted(name: str, shape: tuple[int, ...]) -> list[int]:
    """Our shape in PyTorch's layout."""
    if name in _TOKENS:
        return [1, *shape]
    if len(shape) == 4:
        return [shape[3], shape[2], shape[0], shape[1]]
    return list(reversed(shape))


def _account(
    config: ViTConfig, missing: list[str], unexpected: list[str], misshapen: list[str], tensors: Arrays
) -> str:
    likely = _recognise(tensors)
    hint = f", its shape is that of {likely}" if likely else ""
    parts = [f"the checkpoint is not a {config.variant}{hint}"]
    for what, entries in (("missing", missing), ("unexpected", unexpected), ("wrong shape", misshapen)):
        if entries:
            parts.append(f"{what} ({len(entries)}): {', '.join(entries)}")
    return "; ".join(parts)


def _recognise(tensors: Arrays) -> str:
    """The variants whose width, depth and patch the checkpoint has."""
    kernel = tensors.get("patch_embed.proj.weight")
    if kernel is None or kernel.ndim != 4:
        return ""
    depth = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
    suffix = "" if kernel.shape[2] == 16 else f"/{kernel.shape[2]}"
    shape = kernel.shape[0], depth, "dist_token" in tensors
    rows = [name for name, row in VARIANTS.items() if (row.width, row.depth, row.distilled) == shape]
    return " or ".join(f"{name}{suffix}" for name in rows)


def import_checkpoint(path: str | Path, variant: str, *, labels: tuple[str, ...] = ()) -> ViT:
    """A timm safetensors file as a model of `variant`. Raises `CheckpointError` unless every tensor fits."""
    variant_config(variant)  # a misspelt name first
    tensors = read(path)
    try:
        config = config_for(variant, tensors).with_(labels=labels)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    model = build(config)
    variables = named_weights(model)
    weights = convert_tensors(config, tensors, {name: tuple(variable.shape) for name, variable in variables.items()})
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinity")
        variables[name].assign(value)
    return model
