"""The original ViT checkpoints, AugReg's among them, in .npz (https://github.com/google-research/vision_transformer).

Those names are Flax's, layouts are Keras's except that heads have an axis of their own. The tensors tell all but the
normalisation, which is the same in all of them. GELU is exact here, as in timm, and the tanh approximation in JAX.
"""

from __future__ import annotations

from edgevit.checkpoints.checkpoint_file import NPZ, CheckpointFile
from edgevit.checkpoints.facts import NO_HEAD, Facts
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
)
from edgevit.config import HALF, ViTConfig
from edgevit.errors import CheckpointError

PREFIXES = ("", "opt/target/")
"""What the names begin with; the second where the optimizer's state was saved too."""
KERNEL = "embedding/kernel"
BLOCK = "Transformer/encoderblock_"
ATTENTION = "MultiHeadDotProductAttention_1"
DROPPED = {
    "opt/state/*": "the optimizer's state",
    "*pre_logits/*": "a layer of the classifier",
}


def recognise(source: CheckpointFile) -> bool:
    return source.container == NPZ and any(f"{prefix}{KERNEL}" in source.tensors for prefix in PREFIXES)


def _prefix(source: CheckpointFile) -> str:
    return next(prefix for prefix in PREFIXES if f"{prefix}{KERNEL}" in source.tensors)


def facts(source: CheckpointFile) -> Facts:
    prefix = _prefix(source)
    if f"{prefix}conv_root/kernel" in source.tensors:
        raise CheckpointError(f"{source.path}: a hybrid with a ResNet in front of the ViT; edgevit has ViTs alone")
    patch, _, _, width = source.shape(f"{prefix}{KERNEL}", "P", "P", "3", "width")
    classes, no_head = None, NO_HEAD
    if f"{prefix}pre_logits/kernel" in source.tensors:
        no_head = "a layer with tanh (pre_logits) stands before its classifier, which edgevit's head lacks"
    elif f"{prefix}head/kernel" in source.tensors:
        classes = source.shape(f"{prefix}head/kernel", "width", "classes")[1]
    return Facts(
        families=("vit",),
        width=width,
        depth=source.count(f"{prefix}{BLOCK}", "/"),
        mlp_width=source.shape(f"{prefix}{BLOCK}0/MlpBlock_3/Dense_0/kernel", "width", "MLP")[1],
        patch=patch,
        positions=source.shape(f"{prefix}Transformer/posembed_input/pos_embedding", "1", "N", "width")[1],
        heads=source.shape(f"{prefix}{BLOCK}0/{ATTENTION}/query/kernel", "width", "heads", "head")[1],
        classes=classes,
        no_head=no_head,
        mean=HALF,
        std=HALF,
        resize="squash,bilinear",  # tf.image.resize straight to the resolution: vit_jax/input_pipeline.py
    )


def rules(config: ViTConfig, source: CheckpointFile) -> dict[str, WeightRule]:
    """A rule for each weight of a model of this shape."""
    prefix = _prefix(source)
    encoder = f"{prefix}Transformer"
    table = {
        "positions/class_token": WeightRule((f"{prefix}cls",), TOKENS),
        "positions/positions": WeightRule((f"{encoder}/posembed_input/pos_embedding",), TOKENS),
        **_layer("patches/projection", f"{prefix}embedding", SAME_4D),
        **_norm("norm", f"{encoder}/encoder_norm"),
        **_layer("head/linear", f"{prefix}head"),
    }
    for index in range(config.depth):
        ours, theirs = f"block{index}", f"{prefix}{BLOCK}{index}"
        parts = [f"{theirs}/{ATTENTION}/{part}" for part in ("query", "key", "value")]
        table |= {
            **_norm(f"{ours}/norm1", f"{theirs}/LayerNorm_0"),
            f"{ours}/attention/qkv/kernel": WeightRule(tuple(f"{part}/kernel" for part in parts), TO_HEADS),
            f"{ours}/attention/qkv/bias": WeightRule(tuple(f"{part}/bias" for part in parts), HEAD_BIAS),
            **_layer(f"{ours}/attention/output", f"{theirs}/{ATTENTION}/out", FROM_HEADS),
            **_norm(f"{ours}/norm2", f"{theirs}/LayerNorm_2"),
            **_layer(f"{ours}/expand", f"{theirs}/MlpBlock_3/Dense_0"),
            **_layer(f"{ours}/contract", f"{theirs}/MlpBlock_3/Dense_1"),
        }
    return table


def _layer(ours: str, theirs: str, kernel: TensorLayout = SAME_2D) -> dict[str, WeightRule]:
    return {
        f"{ours}/kernel": WeightRule((f"{theirs}/kernel",), kernel),
        f"{ours}/bias": WeightRule((f"{theirs}/bias",), SAME_1D),
    }


def _norm(ours: str, theirs: str) -> dict[str, WeightRule]:
    return {
        f"{ours}/gamma": WeightRule((f"{theirs}/scale",), SAME_1D),
        f"{ours}/beta": WeightRule((f"{theirs}/bias",), SAME_1D),
    }
