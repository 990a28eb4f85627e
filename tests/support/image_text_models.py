"""Small image-text models with random weights, none of them zero or one."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevit.config import ViTConfig
from edgevit.image_text_config import ImageTextConfig
from edgevit.text_config import TextConfig
from edgevit.text_tokens import trained_tokenizer

CAPTIONS = ("a red circle", "a blue square", "a green triangle left of a red square", "a photo of a blue circle")


def image_text_model(seed: int = 5, scores: str = "softmax", templates: tuple[str, ...] = (), **text: Any) -> Any:
    """text: fields of its `TextConfig`, which otherwise are as small as can be."""
    from edgevit.model import build_image_text, named_weights

    tokenizer, vocabulary = trained_tokenizer(CAPTIONS)
    image = ViTConfig(
        width=32,
        depth=2,
        heads=2,
        classes=0,
        mlp_width=64,
        base_resolution=64,
        projection=24,
        ladder=(32, 64),
        resize="squash",
    )
    fields = {"width": 16, "depth": 2, "heads": 2, "mlp_width": 48, "context": 12, "projection": 24, "end_id": 1}
    config = TextConfig(**{**fields, "vocabulary": vocabulary, **text})
    model = build_image_text(ImageTextConfig(image, config, scores, tokenizer, templates), seed=seed)
    random = np.random.default_rng(seed)
    for name, variable in named_weights(model).items():
        if name not in ("log_scale", "bias"):
            variable.assign(np.asarray(variable) + random.normal(0.0, 0.2, variable.shape).astype(np.float32))
    return model
