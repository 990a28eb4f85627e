"""The Vision Transformer in Keras 3 (`keras.ops` only, so that any Keras backend trains it)."""

from edgevit.model.transfer import transfer
from edgevit.model.vit import ViT, build, load, named_weights, save

__all__ = ["ViT", "build", "load", "named_weights", "save", "transfer"]
