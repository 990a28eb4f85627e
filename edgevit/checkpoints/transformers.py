"""Hugging Face transformers' ViT, DeiT and DINOv2 in safetensors (https://github.com/huggingface/transformers).

Heads, epsilon and labels come from config.json and normalisation from preprocessor_config.json, which lie beside the
weights on the hub. Without them the variant says heads and normalisation, and the epsilon is the library's default.
"""

from __future__ import annotations

from typing import Any

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import NO_HEAD, Facts
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    TORCH_LINEAR,
    WeightRule,
    alone,
    torch_linear,
    torch_norm,
)
from edgevit.config import ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

PREFIXES = ("vit.", "deit.", "dinov2.", "")
"""What the names begin with; nothing in a model saved without a head."""
KERNEL = "embeddings.patch_embeddings.projection.weight"
DROPPED = {
    "*pooler.dense.*": "a layer that the classifier does not read",
    "*embeddings.mask_token": "for masked pretraining only",
}
EPSILON = {"vit": 1e-12, "deit": 1e-12, "dinov2": 1e-6}  # defaults of ViTConfig, DeiTConfig, Dinov2Config
BILINEAR, BICUBIC = 2, 3  # Pillow's numbers, which preprocessor_config.json gives


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and any(f"{prefix}{KERNEL}" in source.tensors for prefix in PREFIXES)


def _prefix(source: CheckpointFile) -> str:
    return next(prefix for prefix in PREFIXES if f"{prefix}{KERNEL}" in source.tensors)


def _kind(source: CheckpointFile) -> str:
    """`vit`, `deit` or `dinov2`, which name their tensors differently."""
    prefix = _prefix(source)
    if f"{prefix}encoder.layer.0.norm1.weight" in source.tensors:
        return "dinov2"
    return "deit" if f"{prefix}embeddings.distillation_token" in source.tensors else "vit"


def facts(source: CheckpointFile) -> Facts:
    prefix, kind = _prefix(source), _kind(source)
    for name, what in (("embeddings.register_tokens", "register tokens"), ("encoder.layer.0.mlp.weights_in", "SwiGLU")):
        if any(each.startswith(f"{prefix}{name}") for each in source.tensors):
            raise CheckpointError(f"{source.path}: a DINOv2 with {what}, which edgevit's ViT does not have")
    width, _, patch, _ = source.shape(f"{prefix}{KERNEL}", "width", "3", "P", "P")
    positions = source.shape(f"{prefix}embeddings.position_embeddings", "1", "N", "width")[1]
    depth = source.count(f"{prefix}encoder.layer.", ".")
    mlp = f"{prefix}encoder.layer.0.{'mlp.fc1' if kind == 'dinov2' else 'intermediate.dense'}.weight"
    classes, no_head = _classes(source, kind)
    config = source.documents.get("config.json")
    found = Facts(
        # The plain DeiTs of the hub are ViTs by their names; their normalisation tells.
        families=("vit", "deit") if kind == "vit" else (kind,),
        width=width,
        depth=depth,
        mlp_width=source.shape(mlp, "MLP", "width")[0],
        patch=patch,
        positions=positions,
        distilled=kind == "deit",
        classes=classes,
        no_head=no_head,
        scores="softmax" if config is None else _scores(config),
        heads=None if config is None else config.whole("num_attention_heads", least=1),
        epsilon=EPSILON[kind] if config is None else config.number("layer_norm_eps"),
        labels=() if config is None or classes is None else _labels(config, classes),
        notes=() if config is not None else (f"no config.json beside it: LayerNorm's epsilon is {EPSILON[kind]:g}",),
        **_preprocessing(source),
    )
    if config is not None:
        source.agree("config.json", {"hidden_size": width, "num_hidden_layers": depth, "patch_size": patch})
        if (activation := config.values.get("hidden_act", "gelu")) != "gelu":
            raise CheckpointError(f"{config.where}: hidden_act is {activation!r}; edgevit's MLP has the exact `gelu`")
    return found


SCORES = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "regression",
}
"""transformers' `problem_type` (PretrainedConfig), and `ViTConfig.scores`."""


def _scores(config: Record) -> str:
    """Raises `CheckpointError` for a kind of head that edgevit does not have."""
    kind = config.values.get("problem_type") or "single_label_classification"
    if kind not in SCORES:
        raise CheckpointError(f"{config.where}: problem_type is {kind!r}; edgevit knows {', '.join(SCORES)}")
    return SCORES[kind]


def _classes(source: CheckpointFile, kind: str) -> tuple[int | None, str]:
    """The number of classes, or None and why there is no head to take over."""
    for name in ("classifier.weight", "cls_classifier.weight"):
        if name not in source.tensors:
            continue
        rows, columns = source.shape(name, "classes", "width")
        if kind == "dinov2" and columns == 2 * source.shape(f"{_prefix(source)}layernorm.weight", "width")[0]:
            return None, "its classifier reads the class token and the patches' mean, edgevit's the class token alone"
        return rows, ""
    return None, NO_HEAD


def _labels(config: Record, classes: int) -> tuple[str, ...]:
    """The names in `id2label`; none where they are the library's own LABEL_0, LABEL_1, ..."""
    named = config.values.get("id2label") or {}
    labels = tuple(str(named.get(str(index), "")) for index in range(classes))
    if not named or all(label in ("", f"LABEL_{index}") for index, label in enumerate(labels)):
        return ()
    if len(named) != classes or "" in labels:
        raise CheckpointError(f"{config.where}: id2label has {len(named)} names for {classes} classes from 0 up")
    return labels


def _preprocessing(source: CheckpointFile) -> dict[str, Any]:
    """mean, std and resize as preprocessor_config.json gives them."""
    record = source.documents.get("preprocessor_config.json")
    if record is None:
        return {}
    if (
        record.values.get("do_rescale", True) is False
        or abs(record.values.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-4
    ):
        raise CheckpointError(
            f"{record.where}: pixels are not brought to 0..1; edgevit knows pixel / 255, then mean and std"
        )
    found: dict[str, Any] = {}
    if record.values.get("do_normalize", True) is False:
        found = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    else:
        for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
            value = record.values.get(theirs)
            if not isinstance(value, list) or len(value) != 3:
                raise CheckpointError(f"{record.where}: {theirs} must be three numbers, not {value!r}")
            found[ours] = tuple(float(each) for each in value)
    if record.values.get("do_resize", True) and (resize := _resize(record)):
        found["resize"] = resize + (",bilinear" if record.values.get("resample") == BILINEAR else "")
    return found


def _resize(record: Record) -> str | None:
    """`size` and `crop_size`, which were numbers first and are objects now, as a policy."""
    short = _side(record.values.get("size"))
    crop = _side(record.values.get("crop_size")) if record.values.get("do_center_crop") else None
    if short and crop and crop <= short:
        return f"crop:{crop / short:.4g}"
    return "squash" if short and not crop else None


def _side(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height"))
    return size if isinstance(size, int) and size > 0 else None


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    prefix, kind = _prefix(source), _kind(source)
    table = {
        "positions/class_token": WeightRule((f"{prefix}embeddings.cls_token",), TOKENS),
        "positions/positions": WeightRule((f"{prefix}embeddings.position_embeddings",), TOKENS),
        "patches/projection/kernel": WeightRule((f"{prefix}{KERNEL}",), TORCH_CONV),
        "patches/projection/bias": WeightRule((f"{prefix}embeddings.patch_embeddings.projection.bias",), SAME_1D),
        **torch_norm("norm", f"{prefix}layernorm"),
        **torch_linear("head/linear", "classifier"),
    }
    if config.distilled:
        table["positions/distillation_token"] = WeightRule((f"{prefix}embeddings.distillation_token",), TOKENS)
        table |= _distilled_heads(source)
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"{prefix}encoder.layer.{index}"
        table |= _attention(source, f"{ours}/attention/qkv", f"{theirs}.attention.attention")
        if kind == "dinov2":
            table |= {
                **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
                **torch_linear(
                    f"{ours}/attention/output", f"{theirs}.attention.output.dense", f"{theirs}.layer_scale1.lambda1"
                ),
                **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
                **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
                **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2", f"{theirs}.layer_scale2.lambda1"),
            }
        else:
            table |= {
                **torch_norm(f"{ours}/norm1", f"{theirs}.layernorm_before"),
                **torch_linear(f"{ours}/attention/output", f"{theirs}.attention.output.dense"),
                **torch_norm(f"{ours}/norm2", f"{theirs}.layernorm_after"),
                **torch_linear(f"{ours}/expand", f"{theirs}.intermediate.dense"),
                **torch_linear(f"{ours}/contract", f"{theirs}.output.dense"),
            }
    return table


def _attention(source: CheckpointFile, ours: str, theirs: str) -> dict[str, WeightRule]:
    """Q, K and V, which are three layers there. config.json says where they have no bias."""
    config = source.documents.get("config.json")
    biased = config is None or config.values.get("qkv_bias", True)
    names = tuple(f"{theirs}.{part}" for part in ("query", "key", "value"))
    return {
        f"{ours}/kernel": WeightRule(tuple(f"{name}.weight" for name in names), TORCH_LINEAR),
        f"{ours}/bias": WeightRule(tuple(f"{name}.bias" for name in names) if biased else (), SAME_1D),
    }


def _distilled_heads(source: CheckpointFile) -> dict[str, WeightRule]:
    """Both heads of DeiT; or the one that DeiTForImageClassification has, on the class token."""
    if "cls_classifier.weight" in source.tensors:
        return {
            **torch_linear("head/linear", "cls_classifier"),
            **torch_linear("distillation_head/linear", "distillation_classifier"),
        }
    return alone(torch_linear("head/linear", "classifier"))
