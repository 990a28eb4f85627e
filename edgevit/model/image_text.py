"""Two towers whose vectors are compared: built from an `ImageTextConfig`, saved to and loaded from `.keras`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from edgevit.errors import ModelError
from edgevit.image_text_config import ImageTextConfig
from edgevit.model.keras_file import read_keras
from edgevit.model.text_tower import TextTower
from edgevit.model.vit import ViT

FIRST_SCALE = {"softmax": 1 / 0.07, "sigmoid": 10.0}
FIRST_BIAS = {"softmax": 0.0, "sigmoid": -10.0}
"""What training begins with: CLIP's section 2.5, and SigLIP's section 3.2, where most pairs do not belong together."""


@keras.saving.register_keras_serializable("edgevit")
class ImageText(keras.Model):
    """Raw pixels [images, H, W, 3] and text tokens' numbers [texts, context] -> logits [images, texts].

    A logit is the scale times the cosine of both vectors, and a bias: CLIP's go through a softmax over the texts
    (Radford et al. 2021, https://arxiv.org/abs/2103.00020), SigLIP's each through a sigmoid (Zhai et al. 2023,
    https://arxiv.org/abs/2303.15343).
    """

    def __init__(self, config: ImageTextConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.image = ViT(config.image, name="image")
        self.text = TextTower(config.text, name="text")
        self.build(None)

    def build(self, input_shape: Any) -> None:
        first = np.log(FIRST_SCALE[self.config.scores])
        self.log_scale = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(first), dtype="float32", name="log_scale"
        )
        # A softmax is the same with any bias.
        self.bias = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(FIRST_BIAS[self.config.scores]),
            dtype="float32",
            trainable=self.config.scores == "sigmoid",
            name="bias",
        )
        self.text.build((None, self.config.text.context))
        self.built = True

    @property
    def scale(self) -> Any:
        """What the cosine is multiplied with; what is learned is its logarithm."""
        return ops.exp(self.log_scale)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """inputs: (images, text tokens)."""
        images, tokens = inputs
        return self.logits(self.image.vectors(images, training=training), self.text(tokens, training=training))

    def logits(self, pictures: Any, texts: Any) -> Any:
        """Vectors [images, width] and [texts, width] -> [images, texts]."""
        return self.scale * ops.matmul(pictures, ops.transpose(texts)) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "image_text": self.config.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ImageText:
        return cls(ImageTextConfig.from_dict(config["image_text"]), name=config.get("name"))


def build_image_text(config: ImageTextConfig, *, seed: int | None = None) -> ImageText:
    """An image-text model with fresh weights, drawn from `seed` where one is given."""
    if seed is not None:
        keras.utils.set_random_seed(seed)
    return ImageText(config, name="image_text")


def load_image_text(path: str | Path) -> ImageText:
    """Reads a `.keras` file that holds an image-text model. Raises `ModelError` for anything else."""
    model = read_keras(path)
    if not isinstance(model, ImageText):
        what = "a ViT alone" if isinstance(model, ViT) else f"a Keras {type(model).__name__}"
        raise ModelError(f"{path} holds {what}, no image-text model (`edgevit import` makes one of CLIP or SigLIP)")
    return model
