"""The text tower of CLIP's and SigLIP's checkpoints, as transformers and open_clip save them; and both towers joined.

The image tower is read by the formats of `edgevit.checkpoints.formats`; `joined` puts both into one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit.checkpoints.checkpoint_file import CheckpointFile
from edgevit.checkpoints.weight_mapping import (
    SAME_1D,
    SAME_2D,
    TORCH_LINEAR,
    WeightRule,
    apply,
    left_out,
    torch_linear,
    torch_norm,
)
from edgevit.documents import Record
from edgevit.errors import CheckpointError, ConfigError
from edgevit.image_text_config import ImageTextConfig
from edgevit.model import ImageText, ViT, build_image_text, named_weights
from edgevit.text_config import TextConfig
from edgevit.text_files import NotTextError, read_text
from edgevit_runtime.json_text import NestedError, parse_json

__all__ = ["DROPPED_TEXT", "TEXT_NAMES", "TextSide", "joined", "text_side"]

TOKENIZER = "tokenizer.json"
OPEN_CLIP = "open_clip_config.json"
TEXT_NAMES = ("text_model.*", "text_projection.*", "logit_scale", "logit_bias", "text.*", "token_embedding.*",
              "positional_embedding", "transformer.*", "ln_final.*", "text_projection", "attn_mask")  # fmt: skip
"""Patterns of the tensors that are none of the image tower's."""
DROPPED_TEXT = {
    "*text_model.embeddings.position_ids": "numbers from 0 up",
    "*attn_mask": "what a causal tower does not look at",
}
ACTIVATIONS = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
"""transformers' `hidden_act`, and ours."""
CLIP = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "num_attention_heads": 8, "eos_token_id": 49407}
SIGLIP = {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "num_attention_heads": 12}
"""transformers' defaults (CLIPTextConfig, SiglipTextConfig), of what config.json leaves out."""
LEGACY_END = 2
"""What old files of CLIP call the end; the library then looks for the largest number of a text, which is the end's."""
GEMMA = 256_000
"""SigLIP 2's vocabulary; its texts are in small letters, those of SigLIP without punctuation, too."""


@dataclass(frozen=True)
class TextSide:
    """A checkpoint's text tower: its shape, what the scores are, and a rule for each weight, by our names."""

    config: TextConfig
    scores: str
    rules: Mapping[str, WeightRule]
    tokenizer: str

    def __str__(self) -> str:
        config = self.config
        return (
            f"a text tower of width {config.width}, depth {config.depth}, {config.heads} heads, {config.vocabulary} "
            f"words, texts of {config.context}, with a {self.scores} over them"
        )


def text_side(source: CheckpointFile) -> TextSide | None:
    """None for a checkpoint without a text tower. Raises `CheckpointError`."""
    if "text_model.embeddings.token_embedding.weight" in source.tensors:
        return _of_transformers(source)
    for prefix in ("", "text."):
        if f"{prefix}token_embedding.weight" in source.tensors:
            return _of_open_clip(source, prefix)
    return None


def joined(source: CheckpointFile, side: TextSide, image: ViT, templates: tuple[str, ...] = ()) -> ImageText:
    """Both towers as one model. image: the checkpoint's image tower, without a head.

    Raises `CheckpointError` where a tensor of the text tower does not fit, or the vectors have different widths.
    """
    try:
        model = build_image_text(ImageTextConfig(image.config, side.config, side.scores, side.tokenizer, templates))
    except ConfigError as error:
        raise CheckpointError(f"{source.path}: {error}") from error
    theirs = {each for rule in side.rules.values() for each in rule.names}
    of_text = dict.fromkeys(TEXT_NAMES, "of the text tower")
    for name in source.tensors.keys() - theirs - {"logit_scale", "logit_bias"}:
        if left_out(name, of_text) is not None and left_out(name, DROPPED_TEXT) is None:
            raise CheckpointError(f"{source.path}: its text tower has {name}, which edgevit's has not")
    variables = named_weights(model)
    for name, value in named_weights(image).items():
        variables[f"image/{name}"].assign(np.asarray(value))
    shapes = {name: tuple(variables[name].shape) for name in side.rules}
    tensors = {name: value for name, value in source.tensors.items() if name in theirs}
    for ours, value in apply(side.rules, image.config, tensors, shapes, {}, "").items():
        if not np.isfinite(value).all():
            raise CheckpointError(f"{source.path}: {ours} holds NaN or infinity")
        variables[ours].assign(value)
    model.log_scale.assign(_scalar(source, "logit_scale"))
    model.bias.assign(_scalar(source, "logit_bias") if side.scores == "sigmoid" else 0.0)
    return model


def _scalar(source: CheckpointFile, name: str) -> float:
    """Raises `CheckpointError` for what is not one number."""
    value = source.tensors.get(name)
    if value is None or value.size != 1 or not np.isfinite(value.astype(np.float64)).all():
        raise CheckpointError(f"{source.path}: {name} must be one number")
    return float(value.astype(np.float64).reshape(()))


def _scores(source: CheckpointFile) -> str:
    return "sigmoid" if "logit_bias" in source.tensors else "softmax"


def _of_transformers(source: CheckpointFile) -> TextSide:
    config = source.documents.get("config.json")
    said = None if config is None else config.values.get("text_config")
    if config is None or not isinstance(said, dict):
        raise CheckpointError(f"{source.path}: config.json with a text_config must lie beside it: it has the heads")
    siglip = "text_model.head.weight" in source.tensors
    known = Record({**(SIGLIP if siglip else CLIP), **said}, f"{config.where}: text_config")
    words, width = source.shape("text_model.embeddings.token_embedding.weight", "words", "width")
    context, _ = source.shape("text_model.embeddings.position_embedding.weight", "context", "width")
    mlp_width, _ = source.shape("text_model.encoder.layers.0.mlp.fc1.weight", "mlp width", "width")
    depth = source.count("text_model.encoder.layers.", ".")
    head = "text_model.head" if siglip else "text_projection"
    projection, _ = source.shape(f"{head}.weight", "vector width", "width")
    tokenizer, padding = _tokenizer(source)
    end = words - 1 if siglip or known.values["eos_token_id"] == LEGACY_END else known.whole("eos_token_id")
    text = _text_config(
        source,
        width=width,
        depth=depth,
        heads=known.whole("num_attention_heads", least=1),
        mlp_width=mlp_width,
        vocabulary=words,
        context=context,
        activation=activation_of(known),
        causal=not siglip,
        read="last" if siglip else "end",
        layer_norm_epsilon=known.number("layer_norm_eps"),
        projection=projection,
        projection_bias=f"{head}.bias" in source.tensors,
        cleaning=_cleaning(words) if siglip else "none",
        padding_id=(1 if words < GEMMA else 0) if padding is None and siglip else end if padding is None else padding,
        end_id=end,
    )
    model = "text_model"
    table = {
        "text/words": WeightRule((f"{model}.embeddings.token_embedding.weight",), SAME_2D),
        "text/positions": WeightRule((f"{model}.embeddings.position_embedding.weight",), SAME_2D),
        **torch_norm("text/norm", f"{model}.final_layer_norm"),
        **_projection(head, text),
    }
    for index in range(depth):
        ours, theirs = f"text/block{index}", f"{model}.encoder.layers.{index}"
        attention = [f"{theirs}.self_attn.{part}_proj" for part in "qkv"]
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.layer_norm1"),
            f"{ours}/attention/qkv/kernel": WeightRule(tuple(f"{each}.weight" for each in attention), TORCH_LINEAR),
            f"{ours}/attention/qkv/bias": WeightRule(tuple(f"{each}.bias" for each in attention), SAME_1D),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.self_attn.out_proj"),
            **torch_norm(f"{ours}/norm2", f"{theirs}.layer_norm2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.fc1"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.fc2"),
        }
    return TextSide(text, _scores(source), table, tokenizer)


def _projection(theirs: str, text: TextConfig) -> dict[str, WeightRule]:
    rules = torch_linear("text/projection", theirs)
    return rules if text.projection_bias else {name: rule for name, rule in rules.items() if name.endswith("kernel")}


def _of_open_clip(source: CheckpointFile, prefix: str) -> TextSide:
    config = source.documents.get(OPEN_CLIP)
    model = None if config is None else config.values.get("model_cfg", config.values)
    said = model.get("text_cfg") if isinstance(model, dict) else None
    if config is None or not isinstance(model, dict) or not isinstance(said, dict):
        raise CheckpointError(f"{source.path}: {OPEN_CLIP} must lie beside it: it says how many heads its towers have")
    known = Record({"heads": 8, **said}, f"{config.where}: text_cfg")
    if f"{prefix}cls_emb" in source.tensors:
        raise CheckpointError(f"{source.path}: its text tower has a class token (CoCa), which edgevit's has not")
    words, width = source.shape(f"{prefix}token_embedding.weight", "words", "width")
    context, _ = source.shape(f"{prefix}positional_embedding", "context", "width")
    blocks = f"{prefix}transformer.resblocks"
    mlp_width, _ = source.shape(f"{blocks}.0.mlp.c_fc.weight", "mlp width", "width")
    depth = source.count(f"{blocks}.", ".")
    linear = f"{prefix}text_projection.weight" in source.tensors
    if linear:
        projection, _ = source.shape(f"{prefix}text_projection.weight", "vector width", "width")
    else:
        _, projection = source.shape(f"{prefix}text_projection", "width", "vector width")
    pool, causal = known.values.get("pool_type", "argmax"), not known.values.get("no_causal_mask", False)
    if pool not in ("argmax", "last"):
        raise CheckpointError(f"{known.where}: pool_type is {pool!r}; edgevit reads the end of a text, or its last row")
    tanh = _settings(known, "act_kwargs").get("approximate") == "tanh"
    tokenizer, padding = _tokenizer(source)
    siglip = _scores(source) == "sigmoid"
    text = _text_config(
        source,
        width=width,
        depth=depth,
        heads=known.whole("heads", least=1),
        mlp_width=mlp_width,
        vocabulary=words,
        context=context,
        activation="quick_gelu" if model.get("quick_gelu") else "gelu_tanh" if tanh else "gelu",
        causal=causal,
        read="end" if pool == "argmax" else "last",
        layer_norm_epsilon=_settings(known, "norm_kwargs").get("eps", 1e-5),
        projection=projection,
        projection_bias=f"{prefix}text_projection.bias" in source.tensors,
        cleaning=_cleaning(words) if siglip else "none",
        # OpenAI's simple tokenizer pads with 0; what follows the end a causal tower does not see.
        padding_id=(1 if siglip and words < GEMMA else 0) if padding is None else padding,
        end_id=words - 1,
    )
    table = {
        "text/words": WeightRule((f"{prefix}token_embedding.weight",), SAME_2D),
        "text/positions": WeightRule((f"{prefix}positional_embedding",), SAME_2D),
        **torch_norm("text/norm", f"{prefix}ln_final"),
        **(
            _projection(f"{prefix}text_projection", text)
            if linear
            else {"text/projection/kernel": WeightRule((f"{prefix}text_projection",), SAME_2D)}
        ),
    }
    for index in range(depth):
        ours, theirs = f"text/block{index}", f"{blocks}.{index}"
        table |= {
            **torch_norm(f"{ours}/norm1", f"{theirs}.ln_1"),
            f"{ours}/attention/qkv/kernel": WeightRule((f"{theirs}.attn.in_proj_weight",), TORCH_LINEAR),
            f"{ours}/attention/qkv/bias": WeightRule((f"{theirs}.attn.in_proj_bias",), SAME_1D),
            **torch_linear(f"{ours}/attention/output", f"{theirs}.attn.out_proj"),
            **torch_norm(f"{ours}/norm2", f"{theirs}.ln_2"),
            **torch_linear(f"{ours}/expand", f"{theirs}.mlp.c_fc"),
            **torch_linear(f"{ours}/contract", f"{theirs}.mlp.c_proj"),
        }
    return TextSide(text, _scores(source), table, tokenizer)


def _settings(record: Record, key: str) -> Mapping[str, Any]:
    found = record.values.get(key) or {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{record.where}: {key} must be an object, not {found!r:.100}")
    return found


def _text_config(source: CheckpointFile, **fields: Any) -> TextConfig:
    try:
        return TextConfig(**fields)
    except ConfigError as error:
        raise CheckpointError(f"{source.path}: {error}") from error


def activation_of(known: Record) -> str:
    """transformers' `hidden_act` as ours. Raises `CheckpointError` for another one."""
    said = known.values["hidden_act"]
    if said not in ACTIVATIONS:
        raise CheckpointError(f"{known.where}: hidden_act is {said!r}; edgevit knows {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[said]


def _cleaning(words: int) -> str:
    return "canonical" if words < GEMMA else "lowercase"


def _tokenizer(source: CheckpointFile) -> tuple[str, int | None]:
    """The text of tokenizer.json, and the text token that it pads with; None where it does not say.

    Raises `CheckpointError` where there is none: the words are not in the weights.
    """
    path = source.path.with_name(TOKENIZER)
    if not path.is_file():
        raise CheckpointError(
            f"{source.path} has a text tower, whose words are in {TOKENIZER}: put that file of the model's page beside "
            "it (of OpenAI's CLIP and open_clip's: openai/clip-vit-base-patch32 has it); --classes 0 "
            "takes the image tower alone"
        )
    try:
        text = read_text(path)
        found = parse_json(text)
    except (NotTextError, NestedError, ValueError) as error:
        raise CheckpointError(f"{path} is no tokenizer.json that can be read ({error})") from error
    padding = found.get("padding") if isinstance(found, dict) else None
    number = padding.get("pad_id") if isinstance(padding, dict) else None
    return text, number if isinstance(number, int) else None
