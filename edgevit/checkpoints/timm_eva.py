"""timm's DINOv3 and PE-Core in safetensors: those of its `Eva` models (timm/models/eva.py) that edgevit's ViT can be.

Tensors do not tell heads nor how queries and keys turn: the architecture's name in config.json does, and where there is
none, what Meta's own models of that width have. PE-Core turns pairs of channels that lie side by side, the column's
first: queries and keys are brought to the model's one form by sorting each head's channels, which changes no product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts, grid_said
from edgevit.checkpoints.timm_config import TRAINING_ONLY, label_names, preprocessing
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    TORCH_LINEAR,
    SideBySide,
    WeightRule,
    half_of,
    torch_linear,
    torch_norm,
)
from edgevit.config import HALF, IMAGENET_MEAN, IMAGENET_STD, Grid, ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

KERNEL = "patch_embed.proj.weight"
DROPPED = {"mask_token": "for masked pretraining only"}
EPSILON = 1e-5
HEAD_WIDTH = 64
"""Of the blocks of all that is read here, where config.json says nothing."""
PE_GRIDS = {192: 24, 384: 24, 768: 14, 1024: 24}
"""By width, the side of the grid that PE-Core counts its patches on (`ref_feat_shape`), whatever the picture's."""
PE_POOL_HEADS, PE_THETA, DINOV3_THETA, SIDE = 8, 10000.0, 100.0, 256
ARGUMENTS = ("num_classes", "embed_dim", "depth", "mlp_ratio", "patch_size", "in_chans", "init_values",
             "num_reg_tokens", "dynamic_img_size", "dynamic_img_pad", "img_size", "num_heads", "attn_pool_num_heads",
             "ref_feat_shape", "global_pool", "qkv_bias")  # fmt: skip
"""Of `model_args`, those that are read, or that tensors show."""
POOLINGS = {"token": "class", "": "class", "avg": "mean"}
"""timm's `global_pool` of DINOv3, and what that is here."""


def recognise(source: CheckpointFile) -> bool:
    kinds = (_is_pe, _is_dinov3, _is_other_pe)
    return source.container == SAFETENSORS and KERNEL in source.tensors and any(kind(source) for kind in kinds)


def _is_pe(source: CheckpointFile) -> bool:
    """No other model of timm has a norm in front of its blocks and attention pooling behind."""
    return "norm_pre.weight" in source.tensors and "attn_pool.latent" in source.tensors


def _is_dinov3(source: CheckpointFile) -> bool:
    """Registers, LayerScale, and no learned positions."""
    there = ("reg_token", "blocks.0.gamma_1", "blocks.0.attn.qkv.weight")
    return all(each in source.tensors for each in there) and "pos_embed" not in source.tensors


def _is_other_pe(source: CheckpointFile) -> bool:
    """PE-Lang or PE-Spatial, to be refused by name: a norm in front of the blocks, as CLIP's, and none behind."""
    return "norm_pre.weight" in source.tensors and not {"norm.weight", "fc_norm.weight"} & set(source.tensors)


def facts(source: CheckpointFile) -> Facts:
    width, _, patch, _ = source.shape(KERNEL, "width", "3", "P", "P")
    _check(source)
    given, is_pe = _arguments(source), _is_pe(source)
    heads = given.whole("num_heads", least=1) if given.has("num_heads") else width // HEAD_WIDTH
    settings = dict(preprocessing(source))
    notes = [*settings.pop("notes", ())]
    if source.documents.get("config.json") is None:
        notes.append(
            f"no config.json beside it: heads of {HEAD_WIDTH} channels, and positions as of Meta's own models of that "
            "width are assumed"
        )
    own = _pe_core(source, given, (width, patch), notes) if is_pe else _dinov3(source, given, patch)
    mean, std = (HALF, HALF) if is_pe else (IMAGENET_MEAN, IMAGENET_STD)
    return Facts(
        width=width,
        depth=source.count("blocks.", "."),
        mlp_width=source.shape("blocks.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=patch,
        heads=heads,
        epsilon=EPSILON,
        notes=tuple(notes),
        **own,
        **{"mean": mean, "std": std, **settings},
    )


def _check(source: CheckpointFile) -> None:
    """Raises `CheckpointError` for what these families have besides, by name."""
    for name, what in (
        ("blocks.0.mlp.fc1_g.weight", "with a gated MLP (SwiGLU: S+, H+ and 7B)"),
        ("blocks.0.attn.q_norm.weight", "that normalises queries and keys"),
        ("blocks.0.attn.norm.weight", "with a norm inside attention"),
    ):
        if name in source.tensors:
            raise CheckpointError(f"{source.path} is a model of timm's Eva {what}, which edgevit's ViT does not have")
    if _is_other_pe(source):
        raise CheckpointError(
            f"{source.path} is a PE-Lang or PE-Spatial, without a norm behind its blocks, which edgevit's ViT has: "
            "take a PE-Core"
        )
    if _is_pe(source) and "cls_token" not in source.tensors:
        raise CheckpointError(
            f"{source.path} is a PE-Core without class token (G), whose pooling has an MLP of another width than its "
            "blocks, which edgevit's ViT does not have: take T, S, B or L"
        )


def _arguments(source: CheckpointFile) -> Record:
    """`model_args`. Raises `CheckpointError` for one that makes another function than edgevit's ViT computes."""
    config = source.documents.get("config.json")
    if config is None or not config.has("model_args"):
        return Record({}, "config.json" if config is None else config.where)
    given = config.record("model_args")
    for key, value in given.values.items():
        if value is not None and key not in (*TRAINING_ONLY, *ARGUMENTS):
            raise CheckpointError(f"{given.where}: {key} is {value!r}, and edgevit does not know what that changes")
    return given


def _pe_core(source: CheckpointFile, given: Record, size: tuple[int, int], notes: list[str]) -> dict[str, Any]:
    """size: width and patch."""
    width, patch = size
    _, positions, _ = source.shape("pos_embed", "1", "N", "width")
    said = _grid(given, "ref_feat_shape", given.values.get("ref_feat_shape"))
    if said is None and width not in PE_GRIDS:
        raise CheckpointError(
            f"{source.path}: no PE-Core has width {width} (known: {', '.join(map(str, PE_GRIDS))}), and no config.json "
            "says the grid that its patches are counted on: model_args.ref_feat_shape"
        )
    found: dict[str, Any] = {
        "families": ("pe",),
        "positions": positions,
        "grid": grid_said(positions - 1, _grid(given, "img_size", given.values.get("img_size"), patch)),
        "pooling": "attention-all",
    }
    fields: dict[str, Any] = {
        "rotary": "index",
        "rotary_theta": PE_THETA,
        "rotary_grid": tuple(said or (PE_GRIDS[width],) * 2),
        "input_norm": True,
        "pool_heads": given.whole("attn_pool_num_heads", least=1)
        if given.has("attn_pool_num_heads")
        else PE_POOL_HEADS,
    }
    if _projects(source):
        outputs = source.shape("head.weight", "outputs", "width")[0]
        fields["projection"] = outputs
        notes.append(f"its head, whose bias is zero, is the projection of its vector to {outputs} numbers: no classes")
    elif "head.weight" in source.tensors:
        found["classes"] = source.shape("head.weight", "classes", "width")[0]
        found["labels"] = label_names(source, found["classes"])
    return {**found, "fields": fields}


def _projects(source: CheckpointFile) -> bool:
    """Whether its head makes the picture's vector: Meta's is a matrix alone, which timm gives a bias of zeros."""
    return _is_pe(source) and "head.weight" in source.tensors and not np.any(source.tensors["head.bias"])


def _dinov3(source: CheckpointFile, given: Record, patch: int) -> dict[str, Any]:
    config = source.documents.get("config.json")
    classes = source.shape("head.weight", "classes", "width")[0] if "head.weight" in source.tensors else None
    pool = given.values.get("global_pool", None if config is None else config.values.get("global_pool"))
    if classes and pool is not None and pool not in POOLINGS:
        raise CheckpointError(
            f"{given.where}: global_pool is {pool!r}; of a DINOv3 edgevit knows {', '.join(POOLINGS)}"
        )
    behind = "fc_norm.weight" in source.tensors
    # With a head timm's Eva takes the mean unless it is told otherwise; without one the class token is Meta's choice.
    pooling = POOLINGS.get(pool, "class") if classes is None else POOLINGS.get("avg" if pool is None else pool, "mean")
    seen = config.record("pretrained_cfg").values.get("input_size") if config and config.has("pretrained_cfg") else None
    side = given.values.get("img_size", seen[1:] if isinstance(seen, list) and len(seen) == 3 else SIDE)
    return {
        "families": ("dinov3",),
        "positions": 0,
        "grid": _grid(given, "img_size", side, patch),
        "registers": source.shape("reg_token", "1", "R", "width")[1],
        "classes": classes,
        "labels": label_names(source, classes),
        "pooling": "mean" if behind else pooling,
        "pool_norm": behind,
        "fields": {"rotary": "centred", "rotary_theta": DINOV3_THETA, "learned_positions": False},
    }


def _grid(given: Record, key: str, size: Any, patch: int = 1) -> Grid | None:
    """A side or [height, width] -> patches; None for None. Raises `CheckpointError` for what is no size."""
    if size is None:
        return None
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(each, int) and each > 0 for each in sides):
        raise CheckpointError(f"{given.where}: {key} must be a side or [height, width], not {size!r}")
    return Grid(max(1, sides[0] // patch), max(1, sides[1] // patch))


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    is_pe = _is_pe(source)
    table = {
        "positions/class_token": WeightRule(("cls_token",), TOKENS),
        "patches/projection/kernel": WeightRule((KERNEL,), TORCH_CONV),
        "patches/projection/bias": WeightRule(() if is_pe else ("patch_embed.proj.bias",), SAME_1D),
        **torch_norm("norm", "fc_norm" if config.pool_norm else "norm"),
        **torch_linear("embed_head/projection" if _projects(source) else "head/linear", "head"),
    }
    if is_pe:
        table |= {"positions/positions": WeightRule(("pos_embed",), TOKENS), **torch_norm("input_norm", "norm_pre")}
        table |= _pool()
    else:
        table["positions/register_tokens"] = WeightRule(("reg_token",), TOKENS)
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"blocks.{index}"
        scales = [f"{theirs}.gamma_{each}" if f"{theirs}.gamma_{each}" in source.tensors else None for each in (1, 2)]
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
            **(_turned(config, ours, theirs) if is_pe else _plain(source, ours, theirs)),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.attn.proj", scales[0]),
            **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2", scales[1]),
        }
    return table


def _turned(config: ViTConfig, ours: str, theirs: str) -> dict[str, WeightRule]:
    return {
        f"{ours}/attention/qkv/{part}": WeightRule(
            (f"{theirs}.attn.qkv.{name}",), SideBySide(layout.axes, layout.shape, config.heads)
        )
        for part, name, layout in (("kernel", "weight", TORCH_LINEAR), ("bias", "bias", SAME_1D))
    }


def _plain(source: CheckpointFile, ours: str, theirs: str) -> dict[str, WeightRule]:
    """DINOv3's pairs are ours. Queries and values may have biases, keys none."""
    biased = _arguments(source).values.get("qkv_bias", f"{theirs}.attn.q_bias" in source.tensors)
    names = (f"{theirs}.attn.q_bias", "", f"{theirs}.attn.v_bias") if biased else ()
    return {
        f"{ours}/attention/qkv/kernel": WeightRule((f"{theirs}.attn.qkv.weight",), TORCH_LINEAR),
        f"{ours}/attention/qkv/bias": WeightRule(names, SAME_1D),
    }


def _pool() -> dict[str, WeightRule]:
    """Attention pooling; there keys and values are one layer."""
    table = {
        "pool/query": WeightRule(("attn_pool.latent",), TOKENS),
        **torch_linear("pool/queries", "attn_pool.q"),
        **torch_linear("pool/output", "attn_pool.proj"),
        **torch_norm("pool/norm", "attn_pool.norm"),
        **torch_linear("pool/expand", "attn_pool.mlp.fc1"),
        **torch_linear("pool/contract", "attn_pool.mlp.fc2"),
    }
    for place, part in enumerate(("keys", "values")):
        for name, theirs, layout in (("kernel", "weight", TORCH_LINEAR), ("bias", "bias", SAME_1D)):
            table[f"pool/{part}/{name}"] = WeightRule((f"attn_pool.kv.{theirs}",), half_of(layout, place))
    return table
