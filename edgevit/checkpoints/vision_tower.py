"""The image towers of transformers' CLIP, SigLIP and SigLIP 2 in safetensors: `vision_model.*`.

Beside the text tower of the same file (`text_side`), or alone. Heads, activation and epsilon come from config.json's
`vision_config`, or from config.json itself where the tower was saved alone; what is left out there has the library's
defaults. SigLIP 2 comes as SigLIP, and as NaFlex, whose pictures keep their shape: here each resolution is a grid.
"""

from __future__ import annotations

from typing import Any

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts
from edgevit.checkpoints.text_side import activation_of
from edgevit.checkpoints.transformers import preprocessing
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    SAME_2D,
    TOKENS,
    TORCH_CONV,
    TORCH_LINEAR,
    TensorLayout,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import HALF, ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

MODEL = "vision_model"
KERNEL = f"{MODEL}.embeddings.patch_embedding.weight"
DROPPED = {
    "*vision_model.embeddings.position_ids": "numbers from 0 up",
}
CLIP = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "num_attention_heads": 12}
SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "num_attention_heads": 12}
"""transformers' defaults (CLIPVisionConfig, SiglipVisionConfig), of what config.json leaves out."""
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""OPENAI_CLIP_MEAN and OPENAI_CLIP_STD of transformers and open_clip."""
CLASS_TOKEN = TensorLayout((0,), lambda ours, _: ours[1:])
"""[width]: a learned token without any other dimension."""
FLAT_PATCHES = TensorLayout((1, 0), lambda ours, _: (ours[3], ours[0] * ours[1] * ours[2]))
"""[out, h * w * in], of a Linear that reads each patch's pixels row by row: NaFlex."""


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and KERNEL in source.tensors


def _is_siglip(source: CheckpointFile) -> bool:
    return f"{MODEL}.embeddings.class_embedding" not in source.tensors


def _said(source: CheckpointFile) -> Record:
    """The tower's part of config.json, over the defaults. Raises `CheckpointError` without one."""
    config = source.documents.get("config.json")
    if config is None:
        raise CheckpointError(f"{source.path}: put the config.json that came with it beside it: it has the heads")
    said = config.values.get("vision_config", config.values)
    if not isinstance(said, dict):
        raise CheckpointError(f"{config.where}: vision_config must be an object, not {said!r:.100}")
    return Record({**(SIGLIP if _is_siglip(source) else CLIP), **said}, f"{config.where}: vision_config")


def facts(source: CheckpointFile) -> Facts:
    siglip, said = _is_siglip(source), _said(source)
    flat = source.tensors[KERNEL].ndim == 2
    if flat:
        width, patch = source.shape(KERNEL, "width", "P * P * 3")[0], said.whole("patch_size", least=1)
    else:
        width, _, patch, _ = source.shape(KERNEL, "width", "3", "P", "P")
    positions = source.shape(f"{MODEL}.embeddings.position_embedding.weight", "N", "width")[0]
    if siglip and f"{MODEL}.head.probe" not in source.tensors:
        raise CheckpointError(f"{source.path} is a SigLIP without attention pooling (vision_use_head false): not read")
    settings, notes = preprocessing(source, "clip")
    if not settings:
        mean, std = (HALF, HALF) if siglip else (CLIP_MEAN, CLIP_STD)
        settings = {"mean": mean, "std": std, "resize": "squash" if siglip else "crop:1"}
        notes = [f"no preprocessor_config.json beside it: the library's mean, std and {settings['resize']} are assumed"]
    if flat:
        notes.append(
            "NaFlex: each picture has its own shape there, and here one of the ladder's: convert it at those of your "
            "pictures, such as 256,384x192"
        )
        settings.setdefault("resize", "squash")
    projection = "visual_projection.weight"
    return Facts(
        families=(),
        width=width,
        depth=source.count(f"{MODEL}.encoder.layers.", "."),
        mlp_width=source.shape(f"{MODEL}.encoder.layers.0.mlp.fc1.weight", "MLP", "width")[0],
        patch=patch,
        positions=positions,
        heads=said.whole("num_attention_heads", least=1),
        pooling="attention" if siglip else "class",
        epsilon=said.number("layer_norm_eps"),
        fields={
            "class_token": not siglip,
            "activation": activation_of(said),
            "input_norm": not siglip,
            "resampling": "bilinear" if flat else "bicubic",
            "projection": source.shape(projection, "vector width", "width")[0] if projection in source.tensors else 0,
        },
        notes=tuple(notes),
        **settings,
    )


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    embeddings, bias = f"{MODEL}.embeddings", f"{MODEL}.embeddings.patch_embedding.bias"
    table: dict[str, WeightRule] = {
        "positions/positions": WeightRule((f"{embeddings}.position_embedding.weight",), SAME_2D),
        "patches/projection/kernel": WeightRule(
            (KERNEL,), FLAT_PATCHES if source.tensors[KERNEL].ndim == 2 else TORCH_CONV
        ),
        "patches/projection/bias": WeightRule((bias,) if bias in source.tensors else (), SAME_1D),
        **torch_norm("norm", f"{MODEL}.post_layernorm"),
    }
    if config.class_token:
        table["positions/class_token"] = WeightRule((f"{embeddings}.class_embedding",), CLASS_TOKEN)
    if config.input_norm:
        table |= torch_norm("input_norm", f"{MODEL}.pre_layrnorm")
    if config.projection:
        table["embed_head/projection/kernel"] = WeightRule(("visual_projection.weight",), TORCH_LINEAR)
        table["embed_head/projection/bias"] = WeightRule((), SAME_1D)
    if config.pooling == "attention":
        table |= _pooling(f"{MODEL}.head")
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"{MODEL}.encoder.layers.{index}"
        parts = [f"{theirs}.self_attn.{part}_proj" for part in "qkv"]
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.layer_norm1"),
            f"{ours}/attention/qkv/kernel": WeightRule(tuple(f"{each}.weight" for each in parts), TORCH_LINEAR),
            f"{ours}/attention/qkv/bias": WeightRule(tuple(f"{each}.bias" for each in parts), SAME_1D),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.self_attn.out_proj"),
            **torch_norm(f"{ours}/norm2", f"{theirs}.layer_norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2"),
        }
    return table


def _pooling(head: str) -> dict[str, WeightRule]:
    """Attention pooling, whose queries, keys and values PyTorch's MultiheadAttention has in one."""
    table: dict[str, Any] = {"pool/query": WeightRule((f"{head}.probe",), TOKENS)}
    for place, name in enumerate(("queries", "keys", "values")):
        part = (place, 3)
        table[f"pool/{name}/kernel"] = WeightRule((f"{head}.attention.in_proj_weight",), TORCH_LINEAR, part=part)
        table[f"pool/{name}/bias"] = WeightRule((f"{head}.attention.in_proj_bias",), SAME_1D, part=part)
    return {
        **table,
        **torch_linear("pool/output", f"{head}.attention.out_proj"),
        **torch_norm("pool/norm", f"{head}.layernorm"),
        **torch_linear("pool/expand", f"{head}.mlp.fc1"),
        **torch_linear("pool/contract", f"{head}.mlp.fc2"),
    }
