"""The Vision Transformer in Keras 3 (`keras.ops` only, so that any Keras backend trains it)."""

from edgevit.model.foreign import ForeignModel, load_any
from edgevit.model.merging import merge_heads
from edgevit.model.vit import ViT, build, load, named_weights, save
from edgevit.model.weights import transfer

__all__ = ["ForeignModel", "ViT", "build", "load", "load_any", "merge_heads", "named_weights", "save", "transfer"]
