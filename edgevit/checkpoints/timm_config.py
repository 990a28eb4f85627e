"""timm's config.json: what it says of a model that its tensors do not, read whole.

`model_args` are arguments of timm's VisionTransformer (timm/models/vision_transformer.py). Each is one that edgevit's
ViT can be, one that computes nothing in inference, or a reason to refuse the checkpoint by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from edgevit.checkpoints import open_clip
from edgevit.checkpoints.checkpoint_file import CheckpointFile
from edgevit.config import ACTIVATIONS, Grid
from edgevit.documents import Record
from edgevit.errors import CheckpointError

TRAINING_ONLY = (
    "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
    "drop_block_rate", "weight_init", "fix_init", "device", "dtype", "pretrained", "pretrained_cfg",
    "pretrained_strict", "scriptable", "exportable", "no_jit",
)  # fmt: skip
"""Arguments without effect when a model answers."""
IN_TENSORS = (
    "num_classes", "in_chans", "embed_dim", "depth", "mlp_ratio", "patch_size", "init_values", "representation_size",
    "distilled", "num_classes_head", "reg_tokens", "fc_norm", "class_token", "qk_norm", "pre_norm",
)  # fmt: skip
"""Arguments that tensors show: their shapes, or that they are there."""
SIZES = ("img_size", "dynamic_img_size", "dynamic_img_pad", "strict_img_size")
"""What pictures it takes; the grid of its positions comes from `img_size`."""


def _one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


EXACT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "norm_layer": (_one_of("layernorm"), "edgevit has LayerNorm with epsilon 1e-6 there"),
    "embed_norm_layer": (_one_of(), "edgevit has no norm behind the patches"),
    "final_norm": (_one_of(True), "edgevit's ViT ends in a norm"),
    "proj_bias": (_one_of(True), "edgevit's projections have biases"),
    "scale_attn_norm": (_one_of(False), "edgevit has no such norm"),
    "scale_mlp_norm": (_one_of(False), "edgevit has no such norm"),
    "pos_embed": (_one_of("learn"), "edgevit's positions are learned"),
    "embed_layer": (_one_of("patchembed"), "edgevit's patches are one convolution"),
    "block_fn": (_one_of("block"), "edgevit's blocks are timm's `Block`"),
    "mlp_layer": (_one_of("mlp"), "edgevit's blocks have timm's `Mlp`"),
    "attn_layer": (_one_of("attention", "attn"), "edgevit has timm's `Attention`"),
}
"""Arguments of which one value alone is edgevit's function, and why. None is timm's own default, which is that one."""

ARCHITECTURES = {
    "_rpn_": "normalises behind attention and MLP, and not before",
    "_rope": "has rotary positions",
    "relpos": "has relative positions",
    "naflex": "is a NaFlexViT, whose patches are of several sizes",
    "parallel": "computes attention and MLP side by side",
    "18x2": "computes attention and MLP side by side",
}
"""Parts of timm's names of architectures that say what neither tensors nor arguments do, and edgevit's ViT is not."""

TANH = {"activation": "gelu_tanh"}
CLIP = {"epsilon": 1e-5}
SPECIAL: dict[str, dict[str, Any]] = {
    "vit_*_clip_quickgelu_*": {"activation": "quick_gelu", **CLIP},
    "vit_*_clip_*": CLIP,
    "beit3_*": CLIP,
    "vit_base_patch32_siglip_*": TANH,
    "vit_large_patch16_siglip_*512": TANH,
    "vit_giantopt_patch16_siglip_*": TANH,
    "vit_so400m_patch16_siglip_*": TANH,
}
"""timm's architectures (timm/models/vision_transformer.py, 1.0.31) whose own arguments, which config.json does not
repeat, are not the defaults: the first pattern that fits."""
HEAD_WIDTHS = {
    "vit_giantopt_*": 96,
    "vit_giant_*": 88,
    "vit_gigantic_*": 104,
    "vit_huge_*": 80,
    "vit_so400m_*": 72,
    "vit_base_patch16_gap_*": 48,
    "beit3_giant_*": 88,
    "test_vit*": 32,
    "*": 64,
}
"""Of the same, and all others of that file."""
POOLING_ALL = "test_vit3*"
"""The architecture there whose attention pooling reads the tokens in front, too (`pool_include_prefix`)."""
ACTIVATION_LAYERS = {
    "gelu": "gelu", "gelu_tanh": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelutanh": "gelu_tanh",
    "quick_gelu": "quick_gelu", "quickgelu": "quick_gelu",
}  # fmt: skip
"""timm's `act_layer` in small letters (timm/layers/create_act.py), and ours."""


@dataclass(frozen=True)
class TimmConfig:
    """What config.json says. None: it does not."""

    heads: int | None = None
    grid: Grid | None = None
    """Of the learned positions, where `img_size` says it; rows x columns."""
    pretrained_grid: Grid | None = None
    """Of the pictures that it was trained with (`input_size`)."""
    qkv_bias: bool = True
    no_embed_class: bool | None = None
    """Whether the tokens in front are without positions."""
    pooling: str | None = None
    """What its classifier reads: a key of `edgevit.config.POOLINGS`."""
    activation: str = "gelu"
    epsilon: float = 1e-6
    head_width: int | None = None
    """That of its architecture."""
    no_head: str = ""
    """Why the head that it has is none that edgevit's can be."""
    notes: tuple[str, ...] = ()


def read_config(source: CheckpointFile, patch: int) -> TimmConfig:
    """Raises `CheckpointError` for whatever makes another function than edgevit's ViT computes."""
    config = source.documents.get("config.json") or open_clip.trunk(source)
    if config is None:
        return TimmConfig()
    architecture = str(config.values.get("architecture") or "")
    for part, what in ARCHITECTURES.items():
        if part in architecture.lower():
            raise CheckpointError(f"{config.where}: architecture {architecture!r} {what}")
    given = config.record("model_args") if config.has("model_args") else Record({}, config.where)
    for key, value in given.values.items():
        _check(given, key, value)
    pretrained = config.record("pretrained_cfg") if config.has("pretrained_cfg") else Record({}, config.where)
    pool = given.values.get("global_pool", config.values.get("global_pool"))
    pooling, no_head = _pooled(pool, given, all_tokens=bool(given.values.get("pool_include_prefix")))
    special = next((each for pattern, each in SPECIAL.items() if fnmatchcase(architecture.lower(), pattern)), {})
    width = next(each for pattern, each in HEAD_WIDTHS.items() if fnmatchcase(architecture.lower(), pattern))
    if pooling == "attention" and fnmatchcase(architecture.lower(), POOLING_ALL):
        pooling = "attention-all"
    if given.values.get("act_layer") is not None:
        special = {**special, "activation": _activation(given)}
    return TimmConfig(
        heads=given.whole("num_heads", least=1) if given.has("num_heads") else None,
        grid=_grid(given, "img_size", given.values.get("img_size"), patch),
        pretrained_grid=_grid(pretrained, "input_size", _sides(pretrained.values.get("input_size")), patch),
        qkv_bias=bool(given.values.get("qkv_bias", True)),
        no_embed_class=given.values.get("no_embed_class"),
        pooling=pooling,
        no_head=no_head,
        head_width=width if architecture else None,
        **special,
    )


def _check(given: Record, key: str, value: Any) -> None:
    if value is None or key in (*TRAINING_ONLY, *IN_TENSORS, *SIZES):
        return
    if key in ("num_heads", "global_pool", "act_layer"):
        return
    if key in ("qkv_bias", "no_embed_class", "pool_include_prefix"):
        given.flag(key)
        return
    if key not in EXACT:
        raise CheckpointError(f"{given.where}: {key} is {value!r}, and edgevit does not know what that changes")
    same, why = EXACT[key]
    if not same(value.lower() if isinstance(value, str) else value):
        raise CheckpointError(f"{given.where}: {key} is {value!r}; {why}")


def _pooled(pool: Any, given: Record, all_tokens: bool) -> tuple[str | None, str]:
    """`TimmConfig.pooling`, and `no_head` for what edgevit's classifier does not read."""
    if pool is None:
        return None, ""
    if pool in ("token", ""):
        return "class", ""
    if pool == "map":
        return "attention-all" if all_tokens else "attention", ""
    if pool == "avg" and all_tokens:
        return None, "its classifier reads the mean of all tokens, edgevit's that of the patches"
    if pool == "avg":
        return "mean", ""
    if pool not in ("max", "avgmax"):
        raise CheckpointError(f"{given.where}: global_pool is {pool!r}, which edgevit does not know")
    return None, f"its classifier reads global_pool={pool!r}, edgevit's the class token, a mean or attention pooling"


def _activation(given: Record) -> str:
    said = given.values["act_layer"]
    if not isinstance(said, str) or said.lower() not in ACTIVATION_LAYERS:
        raise CheckpointError(f"{given.where}: act_layer is {said!r}; edgevit knows {', '.join(ACTIVATIONS)}")
    return ACTIVATION_LAYERS[said.lower()]


def _sides(size: Any) -> Any:
    """[channels, height, width] -> [height, width]."""
    return size[1:] if isinstance(size, list) and len(size) == 3 else size


def _grid(record: Record, key: str, size: Any, patch: int) -> Grid | None:
    """A side or [height, width] in pixels -> patches. Raises `CheckpointError` for what is no size."""
    if size is None:
        return None
    sides = [size, size] if isinstance(size, int) else size
    if not isinstance(sides, list) or len(sides) != 2 or not all(isinstance(each, int) and each > 0 for each in sides):
        raise CheckpointError(f"{record.where}: {key} must be a size in pixels or [height, width], not {size!r}")
    return Grid(sides[0] // patch, sides[1] // patch)


def preprocessing(source: CheckpointFile) -> Mapping[str, Any]:
    """mean, std and resize from config.json's `pretrained_cfg`, and notes on what no policy can say."""
    config = source.documents.get("config.json")
    if config is None and open_clip.trunk(source) is not None:
        settings, said = open_clip.preprocess_cfg(source)
        return {**settings, "notes": tuple(said)}
    if config is None or not config.has("pretrained_cfg"):
        return {}
    pretrained = config.record("pretrained_cfg")
    found: dict[str, Any] = {}
    for key in ("mean", "std"):
        if pretrained.has(key):
            value = pretrained.values[key]
            if (
                not isinstance(value, list)
                or len(value) != 3
                or not all(isinstance(each, int | float) for each in value)
            ):
                raise CheckpointError(f"{pretrained.where}: {key} must be three numbers, not {value!r}")
            found[key] = tuple(float(each) for each in value)
    if pretrained.has("crop_pct"):
        mode, filter_ = pretrained.values.get("crop_mode"), pretrained.values.get("interpolation")
        share = pretrained.number("crop_pct", least=0.01, most=1.0)
        found["resize"] = ("squash" if mode == "squash" and share == 1.0 else f"crop:{share:g}") + (
            ",bilinear" if filter_ == "bilinear" else ""
        )
        notes = []
        if mode == "squash" and share < 1.0:
            found["resize"] = found["resize"].replace(f"crop:{share:g}", "squash")
            notes.append(
                f"it squashes pictures and takes the middle {share:g} of them, which no policy does: squash is taken"
            )
        if mode not in (None, "center", "squash"):
            notes.append(f"crop_mode is {mode!r}, which no policy does: {found['resize']} is taken")
        if filter_ not in (None, "bicubic", "bilinear"):
            notes.append(f"interpolation is {filter_!r}, which no policy has: bicubic is taken")
        found["notes"] = tuple(notes)
    return found


def label_names(source: CheckpointFile, classes: int | None) -> tuple[str, ...]:
    """The class names in `label_names`; none where there are none.

    Raises `CheckpointError` where config.json says another number of classes than the head has.
    """
    config = source.documents.get("config.json")
    if config is None or classes is None:
        return ()
    said = config.values.get("num_classes")
    if isinstance(said, int) and said not in (0, classes):
        raise CheckpointError(f"{config.where} says num_classes {said}, the head has {classes}: it is another model's")
    holders = [config, *([config.record("pretrained_cfg")] if config.has("pretrained_cfg") else [])]
    for each in holders:
        if each.has("label_names"):
            names = each.texts("label_names")
            if len(names) != classes:
                raise CheckpointError(f"{each.where}: label_names has {len(names)} names for {classes} classes")
            return names
    return ()
