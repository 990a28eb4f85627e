"""timm's ViT, DeiT and DINOv2 checkpoints in safetensors (https://github.com/huggingface/pytorch-image-models).

With the config.json of timm's hub repositories beside it, normalisation and resizing come from there.
"""

from __future__ import annotations

from typing import Any

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import ViTConfig

DROPPED = {"mask_token": "for masked pretraining only"}


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and "patch_embed.proj.weight" in source.tensors


def facts(source: CheckpointFile) -> Facts:
    width, _, patch, _ = source.shape("patch_embed.proj.weight", "width", "3", "P", "P")
    distilled = "dist_token" in source.tensors
    _, positions, _ = source.shape("pos_embed", "1", "N", "width")
    classes = source.shape("head.weight", "classes", "width")[0] if "head.weight" in source.tensors else None
    return Facts(
        families=("dinov2",) if _scaled(source) else ("vit", "deit"),
        width=width,
        depth=source.count("blocks.", "."),
        mlp_width=source.shape("blocks.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=patch,
        positions=positions,
        distilled=distilled,
        classes=classes,
        **_preprocessing(source),
    )


def _scaled(source: CheckpointFile) -> bool:
    """Whether its blocks have LayerScale."""
    return "blocks.0.ls1.gamma" in source.tensors


def _preprocessing(source: CheckpointFile) -> dict[str, Any]:
    """mean, std and resize from config.json's `pretrained_cfg`, if timm wrote it."""
    config = source.documents.get("config.json")
    if config is None or not config.has("pretrained_cfg"):
        return {}
    pretrained = config.record("pretrained_cfg")
    found: dict[str, Any] = {
        key: tuple(float(each) for each in pretrained.values[key])
        for key in ("mean", "std")
        if pretrained.has(key) and len(pretrained.values[key]) == 3
    }
    if pretrained.has("crop_pct"):
        squash = pretrained.values.get("crop_mode") == "squash"
        bilinear = ",bilinear" if pretrained.values.get("interpolation") == "bilinear" else ""
        share = pretrained.number("crop_pct", least=0.01, most=1.0)
        found["resize"] = ("squash" if squash and share == 1.0 else f"crop:{share:g}") + bilinear
    return found


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    scaled = _scaled(source)
    table = {
        "positions/class_token": WeightRule(("cls_token",), TOKENS),
        "positions/positions": WeightRule(("pos_embed",), TOKENS),
        "patches/projection/kernel": WeightRule(("patch_embed.proj.weight",), TORCH_CONV),
        "patches/projection/bias": WeightRule(("patch_embed.proj.bias",), SAME_1D),
        **torch_norm("norm", "norm"),
        **torch_linear("head/linear", "head"),
    }
    if config.distilled:
        table["positions/distillation_token"] = WeightRule(("dist_token",), TOKENS)
        table |= torch_linear("distillation_head/linear", "head_dist")
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"blocks.{index}"
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
            **torch_linear(f"{ours}/attention/qkv", f"{theirs}.attn.qkv"),
            **torch_linear(
                f"{ours}/attention/output", f"{theirs}.attn.proj", f"{theirs}.ls1.gamma" if scaled else None
            ),
            **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2", f"{theirs}.ls2.gamma" if scaled else None),
        }
    return table
