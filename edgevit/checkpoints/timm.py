"""timm's ViT, DeiT and DINOv2 checkpoints in safetensors (https://github.com/huggingface/pytorch-image-models).

With the config.json of timm's hub repositories beside it, all that `timm_config` reads comes from there.
"""

from __future__ import annotations

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import NO_HEAD, Facts, grid_said
from edgevit.checkpoints.strangers import stranger
from edgevit.checkpoints.timm_config import TimmConfig, label_names, preprocessing, read_config
from edgevit.checkpoints.weight_mapping import (
    PATCH_POSITIONS,
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import POOLINGS, Grid, ViTConfig
from edgevit.errors import CheckpointError

DROPPED = {"mask_token": "for masked pretraining only", "decoder_*": "the decoder of masked pretraining"}


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and "patch_embed.proj.weight" in source.tensors


def facts(source: CheckpointFile) -> Facts:
    width, _, patch, _ = source.shape("patch_embed.proj.weight", "width", "3", "P", "P")
    if what := stranger(source.tensors):
        raise CheckpointError(f"{source.path} is {what}, which edgevit's ViT cannot be")
    config = read_config(source, patch)
    distilled = "dist_token" in source.tensors
    _, positions, _ = source.shape("pos_embed", "1", "N", "width")
    classes = source.shape("head.weight", "classes", "width")[0] if "head.weight" in source.tensors else None
    settings = dict(preprocessing(source))
    labels = label_names(source, classes)
    registers = source.shape("reg_token", "1", "R", "width")[1] if "reg_token" in source.tensors else 0
    pooling = config.pooling or ("mean" if _norm(source) == "fc_norm" else "class")
    notes = [*settings.pop("notes", ())]
    if source.documents.get("config.json") is None:
        notes.append(
            "no config.json beside it: one head for 64 channels as in its variant, "
            f"{POOLINGS[pooling]} read by the head, and the exact GELU are assumed"
        )
    return Facts(
        families=("dinov2",) if _scaled(source) else ("vit", "deit"),
        width=width,
        depth=source.count("blocks.", "."),
        mlp_width=source.shape("blocks.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=patch,
        positions=positions,
        grid=_grid(source, config, positions, (2 if distilled else 1) + registers),
        heads=config.heads,
        distilled=distilled,
        registers=registers,
        pooling=pooling,
        pool_norm=pooling == "mean" and _norm(source) == "fc_norm",
        classes=None if config.no_head else classes,
        no_head=config.no_head if config.no_head and classes else NO_HEAD,
        labels=labels,
        notes=tuple(notes),
        **settings,
    )


def _grid(source: CheckpointFile, config: TimmConfig, positions: int, prefix: int) -> Grid | None:
    """Raises `CheckpointError` where config.json names a grid that is not square, and the positions have another."""
    counts = [positions - prefix, positions]
    if config.no_embed_class is not None:
        counts = counts[1:] if config.no_embed_class else counts[:1]
    for count in counts:
        if (grid := grid_said(count, config.grid or config.pretrained_grid)) is not None:
            return grid
    said = config.grid or config.pretrained_grid
    if said is None:
        return None
    raise CheckpointError(
        f"{source.path} has {positions} positions, {prefix} of them in front, and config.json says a grid of "
        f"{said.rows} x {said.columns} patches, which are {said.patches}: it is another model's"
    )


def _scaled(source: CheckpointFile) -> bool:
    """Whether its blocks have LayerScale."""
    return "blocks.0.ls1.gamma" in source.tensors


def _norm(source: CheckpointFile) -> str:
    """What the last norm is called: where there is an `fc_norm` it is that one, and there is no other."""
    return "fc_norm" if "fc_norm.weight" in source.tensors else "norm"


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    scaled = _scaled(source)
    learned = source.shape("pos_embed", "1", "N", "width")[1]
    # Tokens in front may have no positions of their own (timm's no_embed_class): DeiT III's, those of registers.
    frontless = learned == config.grid(config.base_resolution).patches
    table = {
        "positions/class_token": WeightRule(("cls_token",), TOKENS),
        "positions/positions": WeightRule(("pos_embed",), PATCH_POSITIONS if frontless else TOKENS),
        "patches/projection/kernel": WeightRule(("patch_embed.proj.weight",), TORCH_CONV),
        "patches/projection/bias": WeightRule(("patch_embed.proj.bias",), SAME_1D),
        **torch_norm("norm", _norm(source)),
        **torch_linear("head/linear", "head"),
    }
    if config.registers:
        table["positions/register_tokens"] = WeightRule(("reg_token",), TOKENS)
    if config.distilled:
        table["positions/distillation_token"] = WeightRule(("dist_token",), TOKENS)
        table |= torch_linear("distillation_head/linear", "head_dist")
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"blocks.{index}"
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
            **_qkv(source, f"{ours}/attention/qkv", f"{theirs}.attn.qkv"),
            **torch_linear(
                f"{ours}/attention/output", f"{theirs}.attn.proj", f"{theirs}.ls1.gamma" if scaled else None
            ),
            **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2", f"{theirs}.ls2.gamma" if scaled else None),
        }
    return table


def _qkv(source: CheckpointFile, ours: str, theirs: str) -> dict[str, WeightRule]:
    """Q, K and V. config.json says where they have no bias."""
    found = torch_linear(ours, theirs)
    if read_config(source, 1).qkv_bias:
        return found
    return {**found, f"{ours}/bias": WeightRule((), SAME_1D)}
