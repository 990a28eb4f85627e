"""timm's ViT, DeiT, DINOv2, CLIP and SigLIP image towers in safetensors (https://github.com/huggingface/pytorch-image-models).

With the config.json of timm's hub repositories beside it, all that `timm_config` reads comes from there.
"""

from __future__ import annotations

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import NO_HEAD, Facts, grid_said
from edgevit.checkpoints.open_clip import trunk
from edgevit.checkpoints.strangers import stranger
from edgevit.checkpoints.timm_config import TimmConfig, label_names, preprocessing, read_config
from edgevit.checkpoints.vision_tower import CLIP_MEAN, CLIP_STD
from edgevit.checkpoints.weight_mapping import (
    PATCH_POSITIONS,
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import HALF, POOLINGS, Grid, ViTConfig
from edgevit.errors import CheckpointError

PROJECTION = "visual.head.proj.weight"
"""Of pictures' vectors: open_clip's, around a timm model."""
OTHER_POOLING = ("pos_embed", "q_norm.weight", "k_norm.weight")
"""Tensors of timm's AttentionPoolLatent with an option that edgevit's does not have."""
DROPPED = {"mask_token": "for masked pretraining only", "decoder_*": "the decoder of masked pretraining"}


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and "patch_embed.proj.weight" in source.tensors


def facts(source: CheckpointFile) -> Facts:
    width, _, patch, _ = source.shape("patch_embed.proj.weight", "width", "3", "P", "P")
    if what := stranger(source.tensors):
        raise CheckpointError(f"{source.path} is {what}, which edgevit's ViT cannot be")
    config = read_config(source, patch)
    distilled, classed = "dist_token" in source.tensors, "cls_token" in source.tensors
    _, positions, _ = source.shape("pos_embed", "1", "N", "width")
    classes = source.shape("head.weight", "classes", "width")[0] if "head.weight" in source.tensors else None
    settings = dict(preprocessing(source))
    labels = label_names(source, classes)
    registers = source.shape("reg_token", "1", "R", "width")[1] if "reg_token" in source.tensors else 0
    by_attention = _checked_attention_pooling(source)
    pooling = config.pooling or (
        "attention" if by_attention else "class" if classed and _norm(source) == "norm" else "mean"
    )
    no_head = config.no_head
    if pooling.startswith("attention") != by_attention:
        raise CheckpointError(
            f"{source.path}: config.json says global_pool={config.pooling!r}, and it has "
            f"{'the tensors' if by_attention else 'none'} of an attention pooling (attn_pool.*): it is another model's"
        )
    if pooling == "class" and not classed:
        pooling, no_head = "mean", no_head or "its classifier reads a class token, which it does not have"
    normed = "blocks.0.attn.q_norm.weight" in source.tensors
    if normed and "blocks.0.attn.q_norm.bias" not in source.tensors:
        raise CheckpointError(f"{source.path}: its queries and keys have an RMSNorm, and edgevit's a LayerNorm")
    notes = [*settings.pop("notes", ())]
    families = () if by_attention or not classed or _norms_first(source) else _families(source)
    if not families and "mean" not in settings:
        mean, std = (CLIP_MEAN, CLIP_STD) if _norms_first(source) else (HALF, HALF)
        settings |= {"mean": mean, "std": std}
        notes.append(f"pixels: mean {mean} and std {std} are assumed, as timm's models of this kind mostly have them")
    if source.documents.get("config.json") is None and trunk(source) is None:
        notes.append(
            "no config.json beside it: one head for 64 channels as in its variant, "
            f"{POOLINGS[pooling]} read by the head, and the exact GELU are assumed"
        )
    return Facts(
        families=families,
        width=width,
        depth=source.count("blocks.", "."),
        mlp_width=source.shape("blocks.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=patch,
        positions=positions,
        grid=_grid(source, config, positions, int(classed) + int(distilled) + registers),
        heads=config.heads or (width // config.head_width if config.head_width else None),
        epsilon=config.epsilon,
        distilled=distilled,
        registers=registers,
        pooling=pooling,
        pool_norm=pooling == "mean" and _norm(source) == "fc_norm",
        classes=None if no_head else classes,
        no_head=no_head if no_head and classes else NO_HEAD,
        labels=labels,
        fields={
            "class_token": classed,
            "activation": config.activation,
            "input_norm": _norms_first(source),
            "qk_norm": normed,
            "projection": source.shape(PROJECTION, "vector width", "width")[0] if PROJECTION in source.tensors else 0,
        },
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


def _families(source: CheckpointFile) -> tuple[str, ...]:
    return ("dinov2",) if _scaled(source) else ("vit", "deit")


def _norms_first(source: CheckpointFile) -> bool:
    """Whether there is a norm in front of the blocks; then the patches have no bias."""
    return "norm_pre.weight" in source.tensors


def _checked_attention_pooling(source: CheckpointFile) -> bool:
    """Whether it has one. Raises `CheckpointError` for one that edgevit's is not."""
    if "attn_pool.latent" not in source.tensors:
        return False
    queries = source.shape("attn_pool.latent", "1", "queries", "width")[1]
    widths = [source.shape(f"{name}.weight", "MLP", "width")[0] for name in ("attn_pool.mlp.fc1", "blocks.0.mlp.fc1")]
    if queries != 1 or widths[0] != widths[1] or any(f"attn_pool.{name}" in source.tensors for name in OTHER_POOLING):
        raise CheckpointError(
            f"{source.path}: edgevit's attention pooling has one query, a block's MLP, and neither positions nor norms "
            "of queries and keys, and this one is otherwise"
        )
    return True


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
        "positions/positions": WeightRule(("pos_embed",), PATCH_POSITIONS if frontless else TOKENS),
        "patches/projection/kernel": WeightRule(("patch_embed.proj.weight",), TORCH_CONV),
        "patches/projection/bias": WeightRule(
            ("patch_embed.proj.bias",) if "patch_embed.proj.bias" in source.tensors else (), SAME_1D
        ),
        **torch_norm("norm", _norm(source)),
        **torch_linear("head/linear", "head"),
    }
    if config.projection:
        table |= torch_linear("embed_head/projection", PROJECTION.removesuffix(".weight"))
        if PROJECTION.replace("weight", "bias") not in source.tensors:
            table["embed_head/projection/bias"] = WeightRule((), SAME_1D)
    if config.class_token:
        table["positions/class_token"] = WeightRule(("cls_token",), TOKENS)
    if config.input_norm:
        table |= torch_norm("input_norm", "norm_pre")
    if config.pools_by_attention:
        table |= {
            "pool/query": WeightRule(("attn_pool.latent",), TOKENS),
            **torch_linear("pool/queries", "attn_pool.q"),
            **torch_linear("pool/keys", "attn_pool.kv", part=(0, 2)),
            **torch_linear("pool/values", "attn_pool.kv", part=(1, 2)),
            **torch_linear("pool/output", "attn_pool.proj"),
            **torch_norm("pool/norm", "attn_pool.norm"),
            **torch_linear("pool/expand", "attn_pool.mlp.fc1"),
            **torch_linear("pool/contract", "attn_pool.mlp.fc2"),
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
            **_qk_norms(config, ours, theirs),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2", f"{theirs}.ls2.gamma" if scaled else None),
        }
    return table


def _qk_norms(config: ViTConfig, ours: str, theirs: str) -> dict[str, WeightRule]:
    if not config.qk_norm:
        return {}
    return {
        **torch_norm(f"{ours}/attention/query_norm", f"{theirs}.attn.q_norm"),
        **torch_norm(f"{ours}/attention/key_norm", f"{theirs}.attn.k_norm"),
    }


def _qkv(source: CheckpointFile, ours: str, theirs: str) -> dict[str, WeightRule]:
    """Q, K and V. config.json says where they have no bias."""
    found = torch_linear(ours, theirs)
    if read_config(source, 1).qkv_bias:
        return found
    return {**found, f"{ours}/bias": WeightRule((), SAME_1D)}
