"""Small random ViTs of other kinds than the plain classifier, in the libraries that they come from.

CLIP's and SigLIP's image towers with their text towers beside them, masked autoencoders, and timm's options; as
`library_references`, which tests and tools/store_references.py put together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.text_tokens import trained_tokenizer
from support.library_references import (
    HALF,
    IMAGENET,
    Reference,
    pictures,
    require,
    shaken,
    timm_model,
    timm_module,
    torch_answer,
    unit,
    version,
)

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2}
TOWER = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {**TOWER, "vocab_size": 30, "max_position_embeddings": 9}
WORDS = ("a photo of a red circle",)
SIDE = 48


def written(folder: Path, model: Any, documents: dict[str, Any], weights: str = "model.safetensors") -> None:
    """What lies on the hub beside such a model."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / weights)
    (folder / "tokenizer.json").write_text(trained_tokenizer(WORDS)[0], encoding="utf-8")
    for name, values in documents.items():
        (folder / name).write_text(json.dumps(values), encoding="utf-8")


def processor(colours: Any, **more: Any) -> dict[str, Any]:
    return {"do_normalize": True, "do_rescale": True, "image_mean": colours[0], "image_std": colours[1], **more}


def transformers_clip(folder: Path) -> Reference:
    require("torch", "transformers")
    from transformers import CLIPConfig, CLIPModel

    vision = {**TOWER, "image_size": SIDE, "patch_size": 16}
    text = {**TEXT, "eos_token_id": 1}
    model = shaken(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)))
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True}
    config = {"model_type": "clip", "text_config": text, "vision_config": vision}
    written(folder, model, {"config.json": config, "preprocessor_config.json": processor(CLIP, **size)})
    images = pictures(SIDE)
    answer = torch_answer(
        lambda pixels: model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output), images, CLIP
    )
    return Reference(folder, images, unit(answer), version("transformers", "torch"), vectors=True)


def transformers_siglip(folder: Path) -> Reference:
    require("torch", "transformers")
    from transformers import SiglipConfig, SiglipModel

    vision = {**TOWER, "image_size": SIDE, "patch_size": 16}
    text = {**TEXT, "projection_size": 32}
    model = shaken(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)))
    config = {"model_type": "siglip", "text_config": text, "vision_config": vision}
    size = {"size": {"height": SIDE, "width": SIDE}}
    written(folder, model, {"config.json": config, "preprocessor_config.json": processor(HALF, **size)})
    images = pictures(SIDE)
    answer = torch_answer(lambda pixels: model.vision_model(pixel_values=pixels).pooler_output, images, HALF)
    return Reference(folder, images, unit(answer), version("transformers", "torch"), vectors=True)


def transformers_naflex(folder: Path, rows: int = 4, columns: int = 4) -> Reference:
    """SigLIP 2 with pictures of their own shape, cut into patches as its processor does."""
    require("torch", "transformers")
    import torch
    from transformers import Siglip2Config, Siglip2Model

    vision = {**TOWER, "num_patches": 16, "patch_size": 8}
    text = {**TEXT, "projection_size": 32}
    model = shaken(Siglip2Model(Siglip2Config(text_config=text, vision_config=vision)))
    config = {"model_type": "siglip2", "text_config": text, "vision_config": vision}
    written(folder, model, {"config.json": config, "preprocessor_config.json": processor(HALF)})
    images = np.ascontiguousarray(pictures(8 * max(rows, columns))[:, : 8 * rows, : 8 * columns])

    def answered(pixels: Any) -> Any:
        count = pixels.shape[0]
        parts = pixels.reshape(count, 3, rows, 8, columns, 8).permute(0, 2, 4, 3, 5, 1)
        shapes = torch.tensor([[rows, columns]] * count)
        mask = torch.ones(count, rows * columns)
        seen = model.vision_model(parts.reshape(count, rows * columns, -1), mask, shapes)
        return seen.pooler_output

    answer = torch_answer(answered, images, HALF)
    return Reference(folder, images, unit(answer), version("transformers", "torch"), vectors=True)


def transformers_mae(folder: Path) -> Reference:
    """A masked autoencoder, which is shown whole pictures."""
    require("torch", "transformers")
    import torch
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    decoder = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    shape = {**TOWER, "image_size": SIDE, "patch_size": 16, "mask_ratio": 0.0}
    shape |= {f"decoder_{key}": value for key, value in decoder.items()}
    model = shaken(ViTMAEForPreTraining(ViTMAEConfig(**shape)))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor(IMAGENET, size=SIDE)), encoding="utf-8")
    images = pictures(SIDE)
    in_order = torch.arange(9.0).repeat(len(images), 1)
    answer = torch_answer(lambda pixels: model.vit(pixels, noise=in_order).last_hidden_state[:, 0], images, IMAGENET)
    return Reference(folder, images, answer, version("transformers", "torch"), features=True, classes=5)


def open_clip_own(folder: Path) -> Reference:
    """With OpenAI's names."""
    require("torch", "open_clip")
    import open_clip

    vision = {"image_size": SIDE, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16, "mlp_ratio": 2.0}
    text = {"context_length": 9, "vocab_size": 30, "width": 16, "heads": 2, "layers": 1}
    model = shaken(open_clip.CLIP(12, vision, text, quick_gelu=True))
    said = {
        "model_cfg": {"embed_dim": 12, "vision_cfg": vision, "text_cfg": text, "quick_gelu": True},
        "preprocess_cfg": {"mean": CLIP[0], "std": CLIP[1]},
    }
    written(folder, model, {"open_clip_config.json": said}, "open_clip_model.safetensors")
    images = pictures(SIDE)
    answer = torch_answer(model.encode_image, images, CLIP)
    return Reference(folder, images, unit(answer), version("open_clip_torch", "torch"), vectors=True)


def open_clip_trunk(folder: Path) -> Reference:
    """A SigLIP, whose image tower is timm's: the trunk is made small, open_clip's own code puts it in."""
    require("torch", "open_clip", "timm")
    timm = timm_module()
    import torch

    name = "test_vit3"  # of 32 numbers a head, where all others have 64 or more
    trunk = shaken(timm.create_model(name, img_size=SIDE, num_classes=0, embed_dim=32, depth=2, num_heads=1))
    from open_clip.model import CustomTextCLIP

    text = {"context_length": 9, "vocab_size": 30, "width": 16, "heads": 2, "layers": 1, "no_causal_mask": True,
            "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}  # fmt: skip
    plain = {"image_size": SIDE, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16}
    whole = shaken(CustomTextCLIP(32, plain, text, init_logit_bias=-10.0))
    whole.visual = torch.nn.Module()
    whole.visual.trunk = trunk
    vision = {"image_size": SIDE, "timm_model_name": name, "timm_pool": "map", "timm_proj": "none"}
    said = {
        "model_cfg": {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"mean": HALF[0], "std": HALF[1], "resize_mode": "squash"},
    }
    written(folder, whole, {"open_clip_config.json": said}, "open_clip_model.safetensors")
    images = pictures(SIDE)
    answer = torch_answer(trunk, images, HALF)
    return Reference(folder, images, unit(answer), version("open_clip_torch", "timm", "torch"), vectors=True)


TOWERS: dict[str, Callable[[Path], Reference]] = {
    "timm: CLIP": lambda folder: timm_model(
        folder, "vit_base_patch16_clip_quickgelu_224", CLIP, SIDE, said={"num_heads": 2}, **SMALL
    ),
    "timm: SigLIP": lambda folder: timm_model(
        folder, "vit_so400m_patch16_siglip_256", HALF, SIDE, vectors=True, said={"num_heads": 2}, **SMALL
    ),
    "timm: queries and keys normalised": lambda folder: timm_model(
        folder,
        "vit_tiny_patch16_224",
        HALF,
        SIDE,
        variant="vit-small-reference",
        said={"num_heads": 2, "qk_norm": True},
        qk_norm=True,
        **SMALL,
    ),
    "timm: no class token, registers": lambda folder: timm_model(
        folder, "vit_betwixt_patch16_reg4_gap_256", HALF, SIDE, said={"num_heads": 2}, **SMALL
    ),
    "transformers: CLIP": transformers_clip,
    "transformers: SigLIP": transformers_siglip,
    "transformers: SigLIP 2, NaFlex": transformers_naflex,
    "transformers: SigLIP 2, NaFlex, wide": lambda folder: transformers_naflex(folder, rows=3, columns=7),
    "transformers: masked autoencoder": transformers_mae,
    "open_clip: CLIP": open_clip_own,
    "open_clip: SigLIP by timm": open_clip_trunk,
}
