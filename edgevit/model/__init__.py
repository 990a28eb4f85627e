"""The Vision Transformer in Keras 3 (`keras.ops` only, so that any Keras backend trains it)."""

from edgevit.model.other import OtherModel, load_any
from edgevit.model.transfer import transfer
from edgevit.model.vit import ViT, build, load, named_weights, save

__all__ = ["OtherModel", "ViT", "build", "load", "load_any", "named_weights", "save", "transfer"]
