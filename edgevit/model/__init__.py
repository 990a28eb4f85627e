"""The Vision Transformer in Keras 3 (`keras.ops` only, so that any Keras backend trains it)."""

from edgevit.model.foreign import ForeignModel, load_any
from edgevit.model.image_text import ImageText, build_image_text, load_image_text
from edgevit.model.merging import merge_heads
from edgevit.model.vit import ViT, build, load, named_weights, save
from edgevit.model.weights import transfer

__all__ = [
    "ForeignModel",
    "ImageText",
    "ViT",
    "build",
    "build_image_text",
    "load",
    "load_any",
    "load_image_text",
    "merge_heads",
    "named_weights",
    "save",
    "transfer",
]
