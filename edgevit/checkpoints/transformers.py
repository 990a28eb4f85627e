"""Hugging Face transformers' ViT, DeiT and DINOv2 in safetensors (https://github.com/huggingface/transformers).

Heads, epsilon and labels come from config.json and normalisation from preprocessor_config.json, which lie beside the
weights on the hub. Without them the variant says heads and normalisation, and the epsilon is the library's default.
"""

from __future__ import annotations

from typing import Any

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts, grid_said
from edgevit.checkpoints.strangers import stranger
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    TORCH_LINEAR,
    WITHOUT_REGISTERS,
    WeightRule,
    alone,
    torch_linear,
    torch_norm,
)
from edgevit.config import Grid, ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

PREFIXES = ("vit.", "deit.", "dinov2.", "dinov2_with_registers.", "")
"""What the names begin with; nothing in a model saved without a head."""
KERNEL = "embeddings.patch_embeddings.projection.weight"
DROPPED = {
    "*pooler.dense.*": "a layer that the classifier does not read",
    "*embeddings.mask_token": "for masked pretraining only",
    "decoder.*": "the decoder of masked pretraining",
}
MODEL_TYPES = ("vit", "deit", "dinov2", "dinov2_with_registers", "vit_msn", "vit_mae")
"""Of config.json: those that compute what edgevit's ViT does."""
EPSILON = {"vit": 1e-12, "deit": 1e-12, "dinov2": 1e-6}  # defaults of ViTConfig, DeiTConfig, Dinov2Config
BILINEAR, BICUBIC = 2, 3  # Pillow's numbers, which preprocessor_config.json gives
BY_THE_SHORT_SIDE = ("Bit", "CLIP", "ConvNext", "ConvNeXT", "Levit", "PoolFormer", "MobileNet", "ChineseCLIP")
"""How the names of image processors begin that take a number as `size` for the short side (`default_to_square=False`);
of others it is a square."""


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
    if any(each.startswith(f"{prefix}encoder.layer.0.mlp.weights_in") for each in source.tensors):
        raise CheckpointError(f"{source.path} is a DINOv2 with SwiGLU, which edgevit's ViT does not have")
    if (what := stranger(source.tensors)) is not None:
        raise CheckpointError(f"{source.path} is {what}, which edgevit's ViT cannot be")
    width, _, patch, _ = source.shape(f"{prefix}{KERNEL}", "width", "3", "P", "P")
    positions = source.shape(f"{prefix}embeddings.position_embeddings", "1", "N", "width")[1]
    depth = source.count(f"{prefix}encoder.layer.", ".")
    mlp = f"{prefix}encoder.layer.0.{'mlp.fc1' if kind == 'dinov2' else 'intermediate.dense'}.weight"
    classes, pooling = _classes(source, kind)
    config = source.documents.get("config.json")
    settings, notes = preprocessing(source, kind)
    if config is None:
        notes.insert(0, f"no config.json beside it: LayerNorm's epsilon is {EPSILON[kind]:g}, and GELU is exact")
    found = Facts(
        # The plain DeiTs of the hub are ViTs by their names; their normalisation tells.
        families=("vit", "deit") if kind == "vit" else (kind,),
        width=width,
        depth=depth,
        mlp_width=source.shape(mlp, "MLP", "width")[0],
        patch=patch,
        positions=positions,
        grid=_grid(source, positions - (2 if kind == "deit" else 1), patch),
        distilled=kind == "deit",
        classes=classes,
        registers=_registers(source),
        pooling=pooling,
        scores=None if config is None else _scores(config),
        heads=None if config is None else config.whole("num_attention_heads", least=1),
        epsilon=EPSILON[kind] if config is None else config.number("layer_norm_eps"),
        labels=() if config is None or classes is None else _labels(config, classes),
        notes=tuple(notes),
        **settings,
    )
    if config is not None:
        if (said := config.values.get("model_type", kind)) not in MODEL_TYPES:
            raise CheckpointError(f"{config.where}: model_type is {said!r}; edgevit knows {', '.join(MODEL_TYPES)}")
        source.agree("config.json", {"hidden_size": width, "num_hidden_layers": depth, "patch_size": patch})
        if (activation := config.values.get("hidden_act", "gelu")) != "gelu":
            raise CheckpointError(f"{config.where}: hidden_act is {activation!r}; edgevit's MLP has the exact `gelu`")
    return found


def _registers(source: CheckpointFile) -> int:
    name = f"{_prefix(source)}embeddings.register_tokens"
    return source.shape(name, "1", "R", "width")[1] if name in source.tensors else 0


SCORES = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "regression",
}
"""transformers' `problem_type` (PretrainedConfig), and `ViTConfig.scores`."""


def _grid(source: CheckpointFile, count: int, patch: int) -> Grid | None:
    """The patches that so many positions lie on. Raises `CheckpointError` where `image_size` says another number."""
    config = source.documents.get("config.json")
    size = None if config is None else config.values.get("image_size")
    if config is None or size is None:
        return None
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(each, int) and each > 0 for each in sides):
        raise CheckpointError(f"{config.where}: image_size must be a size in pixels or [height, width], not {size!r}")
    said = Grid(sides[0] // patch, sides[1] // patch)
    if (grid := grid_said(count, said)) is None:
        raise CheckpointError(
            f"{config.where}: image_size {size} makes {said.rows} x {said.columns} patches, and {source.path.name} has "
            f"positions for {count}: it is another model's"
        )
    return grid


def _scores(config: Record) -> str | None:
    """None where it does not say. Raises `CheckpointError` for a kind of head that edgevit does not have."""
    kind = config.values.get("problem_type")
    if kind is None:
        return None
    if kind not in SCORES:
        raise CheckpointError(f"{config.where}: problem_type is {kind!r}; edgevit knows {', '.join(SCORES)}")
    return SCORES[kind]


def _classes(source: CheckpointFile, kind: str) -> tuple[int | None, str]:
    """The number of classes, None where there is no head; and what the head reads: a key of `POOLINGS`."""
    for name in ("classifier.weight", "cls_classifier.weight"):
        if name not in source.tensors:
            continue
        rows, columns = source.shape(name, "classes", "width")
        width = source.shape(f"{_prefix(source)}layernorm.weight", "width")[0]
        return rows, "class-mean" if kind == "dinov2" and columns == 2 * width else "class"
    return None, "class"


def _labels(config: Record, classes: int) -> tuple[str, ...]:
    """The names in `id2label`; none where they are the library's own LABEL_0, LABEL_1, ..."""
    named = config.values.get("id2label") or {}
    labels = tuple(str(named.get(str(index), "")) for index in range(classes))
    if not named or all(label in ("", f"LABEL_{index}") for index, label in enumerate(labels)):
        return ()
    if len(named) != classes or "" in labels:
        raise CheckpointError(f"{config.where}: id2label has {len(named)} names for {classes} classes from 0 up")
    return labels


def preprocessing(source: CheckpointFile, kind: str) -> tuple[dict[str, Any], list[str]]:
    """mean, std and resize as preprocessor_config.json gives them; and notes on what no policy can say."""
    record = source.documents.get("preprocessor_config.json")
    if record is None:
        return {}, []
    if record.values.get("do_rescale", True) is False or not _to_one(record.values.get("rescale_factor", 1 / 255)):
        raise CheckpointError(
            f"{record.where}: pixels are not brought to 0..1; edgevit knows pixel / 255, then mean and std"
        )
    found: dict[str, Any] = {}
    if record.values.get("do_normalize", True) is False:
        found = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    else:
        for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
            value = record.values.get(theirs)
            if (
                not isinstance(value, list)
                or len(value) != 3
                or not all(isinstance(each, int | float) for each in value)
            ):
                raise CheckpointError(f"{record.where}: {theirs} must be three numbers, not {value!r}")
            found[ours] = tuple(float(each) for each in value)
    if not record.values.get("do_resize", True):
        return found, []
    policy, note = resizing(record, kind)
    notes = [f"{record.where}: {note}"] if note else []
    if policy is not None:
        filter_ = record.values.get("resample")
        found["resize"] = policy + (",bilinear" if filter_ == BILINEAR else "")
        if filter_ not in (None, BILINEAR, BICUBIC):
            notes.append(f"{record.where}: resample is {filter_!r}, which no policy has: bicubic is taken")
    return found, notes


def _to_one(factor: Any) -> bool:
    return isinstance(factor, int | float) and abs(factor * 255 - 1) < 1e-4


def resizing(record: Record, kind: str) -> tuple[str | None, str]:
    """`size` and `crop_size`, which were numbers first and are objects now, as a policy; and what it cannot say."""
    size, crop = record.values.get("size"), record.values.get("crop_size")
    cropped = record.values.get("do_center_crop", kind == "dinov2" and crop is not None)
    if isinstance(size, int):
        said = str(record.values.get("image_processor_type") or record.values.get("feature_extractor_type") or "")
        shortest = said.startswith(BY_THE_SHORT_SIDE) or (not said and kind == "dinov2" and bool(cropped))
        size = {"shortest_edge": size} if shortest else {"height": size, "width": size}
    sides = _sides(crop) if cropped else None
    if not isinstance(size, dict):
        return None, ""
    if short := _whole(size.get("shortest_edge")):
        if sides and sides[0] == sides[1] and sides[0] <= short:
            return f"crop:{sides[0] / short:.4g}", ""
        cut = f"cuts {sides[1]} x {sides[0]} out" if sides else "cuts nothing off"
        return None, f"brings the short side to {short} px and {cut}, which no policy does"
    whole = _sides(size)
    if whole is None or sides is None or sides == whole:
        return ("squash" if whole else None), ""
    return "squash", (
        f"squashes pictures to {whole[1]} x {whole[0]} and takes the middle {sides[1]} x {sides[0]}, which no policy "
        "does: squash is taken, which keeps their borders; another by `edgevit convert --resize`"
    )


def _sides(size: Any) -> tuple[int, int] | None:
    """224 or {"height", "width"} -> (height, width)."""
    if isinstance(size, dict):
        height, width = _whole(size.get("height")), _whole(size.get("width"))
        return (height, width) if height and width else None
    side = _whole(size)
    return (side, side) if side else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    prefix, kind = _prefix(source), _kind(source)
    table = {
        "positions/class_token": WeightRule((f"{prefix}embeddings.cls_token",), TOKENS),
        "positions/positions": WeightRule(
            (f"{prefix}embeddings.position_embeddings",), WITHOUT_REGISTERS if config.registers else TOKENS
        ),
        "patches/projection/kernel": WeightRule((f"{prefix}{KERNEL}",), TORCH_CONV),
        "patches/projection/bias": WeightRule((f"{prefix}embeddings.patch_embeddings.projection.bias",), SAME_1D),
        **torch_norm("norm", f"{prefix}layernorm"),
        **torch_linear("head/linear", "classifier"),
    }
    if config.registers:
        table["positions/register_tokens"] = WeightRule((f"{prefix}embeddings.register_tokens",), TOKENS)
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
