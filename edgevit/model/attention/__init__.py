"""Self-attention, by kind: one file each. A config names the kind; converters/graph/attention has a graph for each."""

from __future__ import annotations

import keras

from edgevit.model.attention.global_attention import GlobalAttention

__all__ = ["ATTENTIONS", "GlobalAttention"]

ATTENTIONS: dict[str, type[keras.layers.Layer]] = {
    "global": GlobalAttention,  # Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929
}
