"""Hugging Face transformers' DINOv3 in safetensors (transformers/models/dinov3_vit).

Its places are rotary alone; keys have no bias. Heads, epsilon and theta come from config.json, normalisation from
preprocessor_config.json. Without config.json heads are of 64 channels, as in Meta's own of patch 16 up to H+.
"""

from __future__ import annotations

from edgevit.checkpoints.checkpoint_file import SAFETENSORS, CheckpointFile
from edgevit.checkpoints.facts import Facts
from edgevit.checkpoints.transformers import preprocessing
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    TOKENS,
    TORCH_CONV,
    TORCH_LINEAR,
    WeightRule,
    torch_linear,
    torch_norm,
)
from edgevit.config import IMAGENET_MEAN, IMAGENET_STD, Grid, ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError

KERNEL = "embeddings.patch_embeddings.weight"
LAYERS = ("layer.", "model.layer.")
"""What the names of the blocks begin with: of Meta's files and what `save_pretrained` writes, and within the class."""
DROPPED = {"embeddings.mask_token": "for masked pretraining only"}
EPSILON, THETA, SIDE, HEAD_WIDTH = 1e-5, 100.0, 224, 64
"""Defaults of DINOv3ViTConfig; and how wide a head is where nobody says."""
BIASES = {"query": True, "key": False, "value": True, "proj": True, "mlp": True}
"""Which layers have a bias, as DINOv3ViTConfig has it: `query_bias`, ..."""
ACTIVATIONS = {"gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "quick_gelu": "quick_gelu"}
"""transformers' `hidden_act`, and `ViTConfig.activation`."""


def recognise(source: CheckpointFile) -> bool:
    return source.container == SAFETENSORS and KERNEL in source.tensors and _layers(source) is not None


def _layers(source: CheckpointFile) -> str | None:
    return next((each for each in LAYERS if f"{each}0.attention.q_proj.weight" in source.tensors), None)


def facts(source: CheckpointFile) -> Facts:
    layers, config = str(_layers(source)), source.documents.get("config.json")
    if f"{layers}0.mlp.gate_proj.weight" in source.tensors:
        raise CheckpointError(
            f"{source.path} is a DINOv3 with a gated MLP (use_gated_mlp: S+, H+ and 7B), which edgevit's ViT does not "
            "have: take S, B or L"
        )
    width, _, patch, _ = source.shape(KERNEL, "width", "3", "P", "P")
    depth = source.count(layers, ".")
    settings, notes = preprocessing(source, "dinov3")
    heads = width // HEAD_WIDTH if config is None else config.whole("num_attention_heads", least=1)
    if config is None:
        notes.insert(
            0,
            f"no config.json beside it: heads of {HEAD_WIDTH} channels, LayerNorm's epsilon {EPSILON:g}, theta "
            f"{THETA:g}, the exact GELU and a base resolution of {SIDE} are assumed",
        )
    else:
        if (said := config.values.get("model_type", "dinov3_vit")) != "dinov3_vit":
            raise CheckpointError(f"{config.where}: model_type is {said!r}; of a DINOv3 it is 'dinov3_vit'")
        source.agree("config.json", {"hidden_size": width, "num_hidden_layers": depth, "patch_size": patch})
    return Facts(
        families=("dinov3",),
        width=width,
        depth=depth,
        mlp_width=source.shape(f"{layers}0.mlp.up_proj.weight", "MLP", "width")[0],
        patch=patch,
        positions=0,
        grid=_grid(config, patch),
        heads=heads,
        registers=source.shape("embeddings.register_tokens", "1", "R", "width")[1],
        epsilon=_number(config, "layer_norm_eps", EPSILON),
        fields={
            "rotary": "centred",
            "rotary_theta": _number(config, "rope_theta", THETA),
            "learned_positions": False,
            "activation": _activation(config),
        },
        notes=tuple(notes),
        **{"mean": IMAGENET_MEAN, "std": IMAGENET_STD, **settings},
    )


def _number(config: Record | None, key: str, default: float) -> float:
    return config.number(key) if config is not None and config.has(key) else default


def _activation(config: Record | None) -> str:
    said = "gelu" if config is None else config.values.get("hidden_act", "gelu")
    if said not in ACTIVATIONS:
        where = "config.json" if config is None else config.where
        raise CheckpointError(f"{where}: hidden_act is {said!r}; edgevit knows {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[said]


def _grid(config: Record | None, patch: int) -> Grid:
    """The patches of the pictures that it says it is for."""
    size = SIDE if config is None else config.values.get("image_size", SIDE)
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(each, int) and each > 0 for each in sides):
        where = "config.json" if config is None else config.where
        raise CheckpointError(f"{where}: image_size must be a size in pixels or [height, width], not {size!r}")
    return Grid(max(1, sides[0] // patch), max(1, sides[1] // patch))


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape. LayerScale is folded into the layer in front of it."""
    table = {
        "positions/class_token": WeightRule(("embeddings.cls_token",), TOKENS),
        "positions/register_tokens": WeightRule(("embeddings.register_tokens",), TOKENS),
        "patches/projection/kernel": WeightRule((KERNEL,), TORCH_CONV),
        "patches/projection/bias": WeightRule(("embeddings.patch_embeddings.bias",), SAME_1D),
        **torch_norm("norm", "norm"),
    }
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"{_layers(source)}{index}"
        names = [f"{theirs}.attention.{part}_proj" for part in ("q", "k", "v")]
        biased = [_has_bias(source, part) for part in ("query", "key", "value")]
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.norm1"),
            f"{ours}/attention/qkv/kernel": WeightRule(tuple(f"{name}.weight" for name in names), TORCH_LINEAR),
            f"{ours}/attention/qkv/bias": WeightRule(
                tuple(f"{name}.bias" if there else "" for name, there in zip(names, biased, strict=True)), SAME_1D
            ),
            **_linear(
                source, f"{ours}/attention/output", f"{theirs}.attention.o_proj", "proj", f"{theirs}.layer_scale1"
            ),
            **torch_norm(f"{ours}/norm2", f"{theirs}.norm2"),
            **_linear(source, f"{ours}/expand", f"{theirs}.mlp.up_proj", "mlp"),
            **_linear(source, f"{ours}/contract", f"{theirs}.mlp.down_proj", "mlp", f"{theirs}.layer_scale2"),
        }
    return table


def _has_bias(source: CheckpointFile, part: str) -> bool:
    config = source.documents.get("config.json")
    return BIASES[part] if config is None else bool(config.values.get(f"{part}_bias", BIASES[part]))


def _linear(
    source: CheckpointFile, ours: str, theirs: str, part: str, scale: str | None = None
) -> dict[str, WeightRule]:
    """A linear layer, with or without bias and LayerScale."""
    found = torch_linear(ours, theirs, scale and f"{scale}.lambda1")
    return found if _has_bias(source, part) else {**found, f"{ours}/bias": WeightRule((), SAME_1D)}
