"""The graphs of self-attention, by kind: one file each, as in `edgevit.model.attention`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converters.graph.arithmetic import Arithmetic
from converters.graph.attention.global_attention import global_attention
from converters.graph.attention.weighting import WEIGHTINGS, Weighting
from converters.graph.folded import Block
from edgevit.config import ViTConfig
from edgevit.model.rotary import Rotation

__all__ = ["ATTENTION_GRAPHS", "WEIGHTINGS"]

AttentionGraph = Callable[[Arithmetic, str, Any, Block, ViTConfig, Rotation | None, bool, Weighting], tuple[Any, Any]]
"""(do, name of the block, normed tokens [N, width], block, config, `Folded.rotation`, whether only the rows in front
are wanted, of `WEIGHTINGS`) -> what the tokens become [n, width], and the weights [heads, n, N]."""

ATTENTION_GRAPHS: dict[str, AttentionGraph] = {
    "global": global_attention,  # edgevit.model.attention.GlobalAttention
}
