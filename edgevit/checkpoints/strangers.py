"""Checkpoints of networks that edgevit's ViT is not, by the names of their tensors: to say what a file is."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

STRANGERS: dict[str, str] = {
    "visual.transformer.*": "a CLIP of OpenAI or OpenCLIP without its patch embedding",
    "visual.layer1.*": "a CLIP whose image tower is a ResNet",
    "visual.trunk.*": "a CLIP of OpenCLIP with a network of timm in it that is no ViT",
    "*vision_model.embeddings.patch_embedding.weight": "a SigLIP, or another transformer of pictures and texts",
    "*text_model.*": "a model of pictures and texts",
    "*rope_embeddings*": "a DINOv3",
    "layer.*.attention.q_proj.weight": "a DINOv3",
    "rope.*": "an EVA-02 or a ViT with rotary positions",
    "blocks.*.attn.q_proj.weight": "an EVA-02 (queries, keys and values are layers of their own)",
    "blocks.*.attn.q_bias": "a BEiT or an EVA (queries and values have biases, keys none)",
    "blocks.*.attn.relative_position*": "a BEiT, or a ViT with relative positions",
    "blocks.*.gamma_1": "a BEiT, an EVA or a CaiT",
    "blocks_token_only.*": "a CaiT",
    "*beit.encoder.layer.*": "a BEiT of transformers",
    "*data2vec_vision.*": "a data2vec of transformers",
    "*swin*.encoder.layers.*": "a Swin of transformers",
    "layers.*.blocks.*.attn.*": "a Swin, whose attention is within windows",
    "*convnext*.encoder.stages.*": "a ConvNeXt of transformers",
    "stages.*.blocks.*.conv_dw.weight": "a ConvNeXt, a CNN",
    "features.*.block.*": "a CNN of torchvision",
    "conv_stem.*": "a CNN (MobileNet, EfficientNet) of timm",
    "layer1.0.conv1.weight": "a ResNet",
    "*resnet.embedder.*": "a ResNet of transformers",
    "*mobilevit*.*": "a MobileViT",
    "encoder.layers.encoder_layer_0.*": "a ViT of torchvision; timm and transformers have the same models",
    "*image_encoder.blocks.*": "a Segment Anything model (SAM)",
    "blocks.*.attn.rel_pos_h": "the ViT of a Segment Anything model (SAM)",
    "blocks.*.mlp.w12.*": "a ViT with SwiGLU",
    "blocks.*.mlp.fc1_g.*": "a ViT with a gated MLP",
    "*mlp.weights_in.*": "a DINOv2 with SwiGLU",
    "patch_embed.backbone.*": "a hybrid with a CNN in front",
    "patch_embed.conv.*": "a ViT with several convolutions in the place of the patch embedding",
    "*bert.encoder.*": "a language model",
    "model.layers.*.self_attn.*": "a language model",
    "transformer.h.*": "a language model",
}  # fmt: skip
"""Patterns of names, the most telling first, and what has such a tensor."""


def stranger(names: Iterable[str]) -> str | None:
    """What a checkpoint with these tensors is, where it is known to be no ViT of edgevit's kind: `a CLIP ...`."""
    listed = list(names)
    for pattern, what in STRANGERS.items():
        if any(fnmatchcase(name, pattern) for name in listed):
            return what
    return None
