"""The image towers of OpenAI's CLIP and open_clip's, under OpenAI's names: `visual.transformer.resblocks.*`.

(https://github.com/mlfoundations/open_clip, `VisionTransformer` in src/open_clip/transformer.py.) open_clip_config.json
says heads, activation and normalisation; without it they are OpenAI's. A timm model inside of open_clip
(`visual.trunk.*`) is read by `timm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts
from edgevit.checkpoints.vision_tower import CLASS_TOKEN, CLIP_MEAN, CLIP_STD
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    SAME_2D,
    TORCH_CONV,
    TORCH_LINEAR,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

KERNEL, BLOCKS = "visual.conv1.weight", "visual.transformer.resblocks"
DROPPED: dict[str, str] = {}
HEAD_WIDTH = 64
CONFIG = "open_clip_config.json"
EXACT: Mapping[str, tuple[Any, ...]] = {
    "pool_type": ("tok",),
    "attentional_pool": (False,),
    "final_ln_after_pool": (False,),
    "no_ln_pre": (False,),
    "pos_embed_type": ("learnable",),
    "output_tokens": (False,),
    "block_type": ("default", None),
    "qk_norm": (False,),
    "scaled_cosine_attn": (False,),
    "scale_heads": (False,),
    "scale_attn": (False,),
    "scale_attn_inner": (False,),
    "scale_fc": (False,),
}
"""Entries of `vision_cfg` (CLIPVisionCfg in src/open_clip/model.py) of which these values alone are edgevit's tower."""


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and KERNEL in source.tensors and f"{BLOCKS}.0.ln_1.weight" in source.tensors


def facts(source: CheckpointFile) -> Facts:
    width, _, patch, _ = source.shape(KERNEL, "width", "3", "P", "P")
    model, vision, notes = _said(source)
    if wrong := [f"{key} is {vision.values[key]!r}" for key in EXACT if _differs(vision, key)]:
        raise CheckpointError(f"{vision.where}: {wrong[0]}, which edgevit's tower does not have")
    head_width = vision.whole("head_width", least=1)
    tanh = _object(vision, "act_kwargs").get("approximate") == "tanh"
    settings, more = preprocess_cfg(source)
    return Facts(
        families=(),
        width=width,
        depth=source.count(f"{BLOCKS}.", "."),
        mlp_width=source.shape(f"{BLOCKS}.0.mlp.c_fc.weight", "MLP", "width")[0],
        patch=patch,
        positions=source.shape("visual.positional_embedding", "N", "width")[0],
        heads=width // head_width,
        epsilon=float(_object(vision, "norm_kwargs").get("eps", 1e-5)),
        fields={
            "activation": "quick_gelu" if model.get("quick_gelu") else "gelu_tanh" if tanh else "gelu",
            "input_norm": True,
            "projection": source.shape("visual.proj", "width", "vector width")[1]
            if "visual.proj" in source.tensors
            else 0,
        },
        notes=(*notes, *more),
        **settings,
    )


def trunk(source: CheckpointFile) -> Record | None:
    """What timm's config.json would say of the timm model inside of an open_clip model; None where there is none."""
    config = source.documents.get(CONFIG)
    if config is None or not isinstance(model := config.values.get("model_cfg", config.values), dict):
        return None
    vision = _object(Record(model, config.where), "vision_cfg")
    if not isinstance(name := vision.get("timm_model_name"), str):
        return None
    pool = vision.get("timm_pool") or None
    return Record({"architecture": name, **({"global_pool": pool} if pool else {})}, config.where)


def _said(source: CheckpointFile) -> tuple[Mapping[str, Any], Record, list[str]]:
    """`model_cfg`, its `vision_cfg`, and what was assumed."""
    config = source.documents.get(CONFIG)
    if config is None:
        note = f"no {CONFIG} beside it: OpenAI's quick GELU, and one head for {HEAD_WIDTH} channels are assumed"
        return {"quick_gelu": True}, Record({"head_width": HEAD_WIDTH}, str(source.path)), [note]
    model = config.values.get("model_cfg", config.values)
    vision = model.get("vision_cfg") if isinstance(model, dict) else None
    if not isinstance(vision, dict):
        raise CheckpointError(f"{config.where}: there is no vision_cfg, which says how many heads the tower has")
    return model, Record({"head_width": HEAD_WIDTH, **vision}, f"{config.where}: vision_cfg"), []


def _differs(vision: Record, key: str) -> bool:
    return key in vision.values and vision.values[key] not in EXACT[key]


def _object(record: Record, key: str) -> Mapping[str, Any]:
    found = record.values.get(key) or {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{record.where}: {key} must be an object, not {found!r:.100}")
    return found


def preprocess_cfg(source: CheckpointFile) -> tuple[dict[str, Any], list[str]]:
    """mean, std and resize of `preprocess_cfg`; where it is silent OpenAI's, which open_clip takes, too."""
    config = source.documents.get(CONFIG)
    said = _object(config, "preprocess_cfg") if config is not None else {}
    found: dict[str, Any] = {}
    for key, usual in (("mean", CLIP_MEAN), ("std", CLIP_STD)):
        value = said.get(key, usual)
        if not isinstance(value, list | tuple) or len(value) != 3 or not all(isinstance(x, int | float) for x in value):
            raise CheckpointError(f"{source.path}: preprocess_cfg: {key} must be three numbers, not {value!r:.100}")
        found[key] = tuple(map(float, value))
    mode = said.get("resize_mode", "shortest")
    found["resize"] = {"squash": "squash", "longest": "letterbox"}.get(mode, "crop:1")
    if said.get("interpolation", "bicubic") == "bilinear":
        found["resize"] += ",bilinear"
    return found, [] if "mean" in said else [f"pixels: OpenAI's mean and std, and {found['resize']} are assumed"]


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    table = {
        "positions/class_token": WeightRule(("visual.class_embedding",), CLASS_TOKEN),
        "positions/positions": WeightRule(("visual.positional_embedding",), SAME_2D),
        "patches/projection/kernel": WeightRule((KERNEL,), TORCH_CONV),
        "patches/projection/bias": WeightRule((), SAME_1D),
        **torch_norm("input_norm", "visual.ln_pre"),
        **torch_norm("norm", "visual.ln_post"),
    }
    if config.projection:
        table["embed_head/projection/kernel"] = WeightRule(("visual.proj",), SAME_2D)
        table["embed_head/projection/bias"] = WeightRule((), SAME_1D)
    scaled = f"{BLOCKS}.0.ls_1.gamma" in source.tensors
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"{BLOCKS}.{index}"
        scales = (f"{theirs}.ls_1.gamma", f"{theirs}.ls_2.gamma") if scaled else (None, None)
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.ln_1"),
            f"{ours}/attention/qkv/kernel": WeightRule((f"{theirs}.attn.in_proj_weight",), TORCH_LINEAR),
            f"{ours}/attention/qkv/bias": WeightRule((f"{theirs}.attn.in_proj_bias",), SAME_1D),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.attn.out_proj", scales[0]),
            **torch_norm(f"{ours}/norm2", f"{theirs}.ln_2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.c_fc"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.c_proj", scales[1]),
        }
    return table
