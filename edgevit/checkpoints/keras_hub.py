"""KerasHub presets of ViT, DeiT and DINOv2: a folder with config.json and model.weights.h5 (https://keras.io/keras_hub).

What `save_to_preset` writes and KerasHub's repositories on the Hugging Face hub hold. A Keras weights file numbers its
arrays by the order of creation, so that names alone say little: the tables below do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevit.checkpoints.checkpoint_file import KERAS_H5, CheckpointFile
from edgevit.checkpoints.facts import NO_HEAD, ColourNumbers, Facts, grid_said
from edgevit.checkpoints.weight_mapping import (
    FROM_HEADS,
    HEAD_BIAS,
    SAME_1D,
    SAME_2D,
    SAME_4D,
    TO_HEADS,
    TOKENS,
    TensorLayout,
    WeightRule,
    alone,
)
from edgevit.config import Grid, ViTConfig
from edgevit.documents import Record
from edgevit.errors import CheckpointError


@dataclass(frozen=True)
class Backbone:
    """How one of KerasHub's backbones calls its parts."""

    family: str
    mlp_width: str
    """The key of config.json."""
    embedding: str
    projection: str
    norm: str
    block: str
    attention: str
    norm1: str
    norm2: str
    expand: str
    contract: str
    scales: tuple[str, str] | None = None
    """LayerScale behind the attention and behind the MLP."""


BACKBONES: dict[str, Backbone] = {  # keras_hub/src/models/{vit,deit,dinov2}
    "ViTBackbone": Backbone(
        family="vit",
        mlp_width="mlp_dim",
        embedding="layers/vi_t_patching_and_embedding",
        projection="patch_embedding",
        norm="layers/vi_t_encoder/layer_norm",
        block="layers/vi_t_encoder/encoder_layers/vi_t_encoder_block",
        attention="mha",
        norm1="layer_norm_1",
        norm2="layer_norm_2",
        expand="mlp/dense_1",
        contract="mlp/dense_2",
    ),
    "DeiTBackbone": Backbone(
        family="deit",
        mlp_width="intermediate_dim",
        embedding="layers/dei_t_embeddings",
        projection="patch_embedding",
        norm="layers/dei_t_encoder/layer_norm",
        block="layers/dei_t_encoder/encoder_layers/dei_t_encoder_block",
        attention="mha",
        norm1="layer_norm_1",
        norm2="layer_norm_2",
        expand="mlp/dense",
        contract="output_layer/dense",
    ),
    "DINOV2Backbone": Backbone(
        family="dinov2",
        mlp_width="intermediate_dim",
        embedding="layers/dinov2_embedding",
        projection="patch_embeddings/projection",
        norm="layers/layer_normalization",
        block="layers/dinov2_encoder/layers/dinov2_layer",
        attention="attention/attention",
        norm1="norm1",
        norm2="norm2",
        expand="mlp/fc1",
        contract="mlp/fc2",
        scales=("layer_scale1", "layer_scale2"),
    ),
}
HEAD = "task/layers/dense"
DROPPED = {
    "task/optimizer/*": "the optimizer's state",
    "task/layers/dense*": "a classifier that edgevit's head cannot be",  # in the rules where it can
    "layers/dinov2_embedding/vars/*": "a mask token, and the positions once more on the grid they were learned on",
}


def recognise(source: CheckpointFile) -> bool:
    config = source.documents.get("config.json")
    return source.container == KERAS_H5 and config is not None and config.values.get("class_name") in BACKBONES


def _backbone(source: CheckpointFile) -> tuple[Backbone, Record]:
    config = source.documents["config.json"]
    return BACKBONES[config.values["class_name"]], config.record("config")


def _positions(source: CheckpointFile) -> str:
    """The name of the learned positions that the backbone adds."""
    names, config = _backbone(source)
    if names.family == "vit":
        return f"{names.embedding}/position_embedding/vars/0"
    if names.family == "deit":
        return f"{names.embedding}/vars/2"
    return f"{names.embedding}/vars/{2 if config.values.get('use_mask_token', True) else 1}"


def facts(source: CheckpointFile) -> Facts:
    names, config = _backbone(source)
    for key, only in (("use_class_token", True), ("num_register_tokens", 0), ("use_swiglu_ffn", False)):
        if (said := config.values.get(key, only)) != only:
            raise CheckpointError(f"{config.where}: {key} is {said!r}, which edgevit's ViT cannot be; only {only!r}")
    patch, _, _, width = source.shape(f"{names.embedding}/{names.projection}/vars/0", "P", "P", "3", "width")
    depth = sum(name.startswith(names.block) and name.endswith(f"/{names.norm1}/vars/0") for name in source.tensors)
    axes = ("N", "width") if names.family == "vit" else ("1", "N", "width")
    for key, value in (("hidden_dim", width), ("num_layers", depth)):
        if config.whole(key) != value:
            raise CheckpointError(
                f"{config.where} says {key} {config.whole(key)}, the tensors of {source.path.name} say {value}"
            )
    classes, no_head, scores = _classes(source)
    positions = source.shape(_positions(source), *axes)[-2]
    return Facts(
        families=(names.family,),
        width=width,
        depth=depth,
        mlp_width=config.whole(names.mlp_width, least=1),
        patch=patch,
        positions=positions,
        grid=_grid(source, config, positions - (2 if names.family == "deit" else 1), patch),
        scores=scores,
        heads=config.whole("num_heads", least=1),
        distilled=names.family == "deit",
        classes=classes,
        no_head=no_head,
        epsilon=config.number("layer_norm_epsilon") if config.has("layer_norm_epsilon") else 1e-6,
        **_preprocessing(source),
    )


def _grid(source: CheckpointFile, config: Record, count: int, patch: int) -> Grid | None:
    """The patches that so many positions lie on. Raises `CheckpointError` where `image_shape` is not square and says
    another number."""
    shape = config.values.get("image_shape")
    if not isinstance(shape, list) or len(shape) != 3 or not all(isinstance(each, int) for each in shape[:2]):
        return None
    said = Grid(shape[0] // patch, shape[1] // patch)
    if (grid := grid_said(count, said)) is None:
        raise CheckpointError(
            f"{config.where}: image_shape {shape} makes {said.rows} x {said.columns} patches, and {source.path.name} "
            f"has positions for {count}: it is another model's"
        )
    return grid


def _classes(source: CheckpointFile) -> tuple[int | None, str, str | None]:
    """The number of classes in task.json, or None and why there is no head to take over; and what its scores are."""
    if "task.json" not in source.documents or f"{HEAD}/vars/0" not in source.tensors:
        return None, NO_HEAD, None
    task = source.documents["task.json"].record("config")
    if (pooling := task.values.get("pooling", "token")) != "token":
        return None, f"its classifier reads pooling={pooling!r}, edgevit's the class token", None
    if task.values.get("intermediate_dim"):
        return (
            None,
            "a layer with tanh (intermediate_dim) stands before its classifier, which edgevit's head lacks",
            None,
        )
    activation = task.values.get("activation")
    if activation not in (None, "linear", "softmax", "sigmoid"):
        return None, f"its classifier ends in {activation!r}, which edgevit's head does not", None
    return task.whole("num_classes", least=1), "", activation if activation in ("softmax", "sigmoid") else None


def _preprocessing(source: CheckpointFile) -> dict[str, Any]:
    """pixel * scale + offset of image_converter.json as (pixel / 255 - mean) / std, and its resizing as a policy."""
    if "image_converter.json" not in source.documents:
        return {}
    converter = source.documents["image_converter.json"].record("config")
    scale, offset = _colour(converter, "scale", 1.0), _colour(converter, "offset", 0.0)
    std = tuple(round(1 / (255 * each), 9) for each in scale)
    mean = tuple(round(-each * spread, 9) for each, spread in zip(offset, std, strict=True))
    policy = "crop:1" if converter.values.get("crop_to_aspect_ratio", True) else "squash"
    bilinear = ",bilinear" if converter.values.get("interpolation", "bilinear") == "bilinear" else ""
    return {"mean": mean, "std": std, "resize": policy + bilinear}


def _colour(converter: Record, key: str, otherwise: float) -> ColourNumbers:
    value = converter.values.get(key)
    numbers = [otherwise if value is None else value] * 3 if not isinstance(value, list) else value
    if (
        len(numbers) != 3
        or not all(isinstance(each, int | float) for each in numbers)
        or (key == "scale" and 0 in numbers)
    ):
        raise CheckpointError(f"{converter.where}: {key} must be one number or three, not {value!r}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    names, theirs = _backbone(source)
    biased = {key: theirs.values.get(key, True) for key in ("use_mha_bias", "use_mlp_bias", "use_patch_bias")}
    tokens, positions = f"{names.embedding}/vars", SAME_2D if names.family == "vit" else TOKENS
    table = {
        "positions/class_token": WeightRule((f"{tokens}/0",), TOKENS),
        "positions/positions": WeightRule((_positions(source),), positions),
        **_layer("patches/projection", f"{names.embedding}/{names.projection}", SAME_4D, biased["use_patch_bias"]),
        **_norm("norm", names.norm),
    }
    head = _layer("head/linear", HEAD)
    if config.distilled:
        table["positions/distillation_token"] = WeightRule((f"{tokens}/1",), TOKENS)
        head = alone(head)  # KerasHub's DeiT has a distillation token, and one head, on the class token
    table |= head
    for index in range(config.depth):
        ours, block = f"block{index}", names.block + (f"_{index}" if index else "")
        mix, feed = (f"{block}/{each}/vars/0" for each in names.scales) if names.scales else (None, None)
        attention, heads = f"{block}/{names.attention}", biased["use_mha_bias"]
        parts = [f"{attention}/{part}_dense/vars" for part in ("query", "key", "value")]
        table |= {
            **_norm(f"{ours}/norm1", f"{block}/{names.norm1}"),
            f"{ours}/attention/qkv/kernel": WeightRule(tuple(f"{part}/0" for part in parts), TO_HEADS),
            f"{ours}/attention/qkv/bias": WeightRule(tuple(f"{part}/1" for part in parts) if heads else (), HEAD_BIAS),
            **_layer(f"{ours}/attention/output", f"{attention}/output_dense", FROM_HEADS, heads, mix),
            **_norm(f"{ours}/norm2", f"{block}/{names.norm2}"),
            **_layer(f"{ours}/expand", f"{block}/{names.expand}", SAME_2D, biased["use_mlp_bias"]),
            **_layer(f"{ours}/contract", f"{block}/{names.contract}", SAME_2D, biased["use_mlp_bias"], feed),
        }
    return table


def _layer(
    ours: str, theirs: str, kernel: TensorLayout = SAME_2D, biased: bool = True, scale: str | None = None
) -> dict[str, WeightRule]:
    return {
        f"{ours}/kernel": WeightRule((f"{theirs}/vars/0",), kernel, scale),
        f"{ours}/bias": WeightRule((f"{theirs}/vars/1",) if biased else (), SAME_1D, scale if biased else None),
    }


def _norm(ours: str, theirs: str) -> dict[str, WeightRule]:
    return {
        f"{ours}/gamma": WeightRule((f"{theirs}/vars/0",), SAME_1D),
        f"{ours}/beta": WeightRule((f"{theirs}/vars/1",), SAME_1D),
    }
