"""What a head's graph is given, and what it has to give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folding import Folding
from edgevit.config import Grid, ViTConfig
from edgevit.tasks import Reads, Task


@dataclass(frozen=True)
class HeadWeights:
    """What a head folds."""

    layers: Mapping[str, Linear]
    """Its linear layers, by the site that each puts out: they are equalized, rounded and corrected as all others."""
    constants: Mapping[str, Any]
    """Its other numbers, by name."""


@dataclass(frozen=True)
class Tokens:
    """What the backbone's graph hands to the heads. The stream's mean over channels was folded away (`lowering`)."""

    grid: Grid
    last: Any
    """The stream after the last block, [n, width]: all tokens, or those in front alone where no head reads more."""
    after: Mapping[int, Any]
    """The stream after other blocks, counted from 1: [N, width]."""
    means: Mapping[int, Any]
    """Where a head reads the stream itself: what was folded away after each block that is read, [N, 1]."""
    attention: Any
    """The last block's attention weights, [heads, n, N]."""


class Head(Protocol):
    """The graph of one task."""

    task: Task

    @property
    def reads(self) -> Reads:
        """What it needs of the backbone."""

    def fold(self, folding: Folding) -> HeadWeights:
        """What it takes of the model's weights."""

    def compute(self, do: Arithmetic, config: ViTConfig, weights: HeadWeights, tokens: Tokens) -> dict[str, Any]:
        """Its outputs by name, each with a first axis for the picture."""
