"""Small random text towers in the libraries that checkpoints come from, as `library_references` has image towers.

`images` of a reference are text tokens' numbers, int32 [texts, context], and its answer is the texts' vectors, of
length 1, float32 [texts, width].
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.text_tokens import trained_tokenizer
from support.library_references import Reference, require, shaken, version

WORDS = ("a photo of a red circle", "two blue squares left of a green ring")
CONTEXT, VECTOR = 9, 12


def tokens(vocabulary: int, end: int) -> np.ndarray:
    """Texts of several lengths, with their end and something behind it."""
    random = np.random.default_rng(2)
    rows = random.integers(2, vocabulary - 1, (4, CONTEXT)).astype(np.int32)
    for row, length in zip(rows, (2, 5, 8, CONTEXT - 1), strict=True):
        row[row == end] = 3
        row[length] = end
    return rows


def written(folder: Path, model: Any, config: dict[str, Any], name: str) -> Path:
    from safetensors.torch import save_file

    (folder / "tokenizer.json").write_text(trained_tokenizer(WORDS)[0], encoding="utf-8")
    (folder / name).write_text(json.dumps(config), encoding="utf-8")
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
    return folder


def answered(encode: Callable[[Any], Any], ids: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        found = encode(torch.from_numpy(ids).long()).numpy()
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def transformers_clip(folder: Path) -> Reference:
    require("torch", "transformers")
    from transformers import CLIPConfig, CLIPModel

    tower = {"hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 30, "max_position_embeddings": CONTEXT, "eos_token_id": 1, "projection_dim": VECTOR}
    config = CLIPConfig(
        text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16}, projection_dim=VECTOR
    )
    model, ids = shaken(CLIPModel(config)), tokens(30, 1)
    written(folder, model, {"model_type": "clip", "text_config": text}, "config.json")

    def encode(each: Any) -> Any:
        return model.text_projection(model.text_model(input_ids=each).pooler_output)

    return Reference(folder, ids, answered(encode, ids), version("transformers", "torch"))


def transformers_siglip(folder: Path) -> Reference:
    require("torch", "transformers")
    from transformers import SiglipConfig, SiglipModel

    tower = {"hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 30, "max_position_embeddings": CONTEXT, "projection_size": VECTOR}
    config = SiglipConfig(text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16})
    model, ids = shaken(SiglipModel(config)), tokens(30, 1)
    written(folder, model, {"model_type": "siglip", "text_config": text}, "config.json")
    return Reference(
        folder,
        ids,
        answered(lambda each: model.text_model(input_ids=each).pooler_output, ids),
        version("transformers", "torch"),
    )


def open_clip(folder: Path, *, siglip: bool) -> Reference:
    require("torch", "open_clip")
    from open_clip.model import CLIP, CustomTextCLIP

    text: dict[str, Any] = {"context_length": CONTEXT, "vocab_size": 30, "width": 16, "heads": 2, "layers": 2}
    vision = {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16}
    if siglip:
        text |= {
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"},
        }
        model = CustomTextCLIP(VECTOR, vision, text, init_logit_bias=-10.0)
    else:
        model = CLIP(VECTOR, vision, text, quick_gelu=True)
    ids = tokens(30, 29)
    shaken(model)
    config = {"model_cfg": {"embed_dim": VECTOR, "vision_cfg": vision, "text_cfg": text, "quick_gelu": not siglip}}
    written(folder, model, config, "open_clip_config.json")
    return Reference(folder, ids, answered(model.encode_text, ids), version("open_clip_torch", "torch"))


TEXT_REFERENCES: dict[str, Callable[[Path], Reference]] = {
    "text: transformers CLIP": transformers_clip,
    "text: transformers SigLIP": transformers_siglip,
    "text: open_clip CLIP": lambda folder: open_clip(folder, siglip=False),
    "text: open_clip SigLIP": lambda folder: open_clip(folder, siglip=True),
}
