"""What one picture costs: multiply-accumulates (MACs) of the lowered graph, linear and attention apart.

Counted as the artefact computes them, batch 1. Only matrix products count, m·k·n MACs for [m, k] by [k, n]:
softmax, GELU, normalisation, residuals and the resampling of positions (done at compile time) are not MACs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edgevit.config import ViTConfig
from edgevit_runtime.resolution import Resolution, ResolutionLike

__all__ = ["Cost", "block_cost", "cost", "divides", "parameters"]


@dataclass(frozen=True)
class Cost:
    """MACs of one inference. `linear_macs` grow with N (the tokens), `attention_macs` with N²."""

    linear_macs: int
    attention_macs: int

    @property
    def total(self) -> int:
        return self.linear_macs + self.attention_macs

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.linear_macs + other.linear_macs, self.attention_macs + other.attention_macs)


def block_cost(config: ViTConfig, tokens: int, *, read: int | None = None) -> Cost:
    """One encoder block over `tokens` = N, of whose outputs the first `read` are used (all by default).

    With width d and MLP width m: keys and values 2·N·d², queries and output projection 2·read·d², MLP
    2·read·d·m; Q·Kᵀ and A·V read·N·d each. For a whole block of MLP ratio 4 that is 12·N·d² linear and 2·N²·d
    attention: attention over linear is N/(6d), so they are equal at N = 6d.
    """
    width, rows = config.width, tokens if read is None else read
    return Cost(
        linear_macs=2 * tokens * width**2 + 2 * rows * width**2 + 2 * rows * width * config.mlp_width,
        attention_macs=2 * rows * tokens * width,
    )


def cost(config: ViTConfig, resolution: ResolutionLike) -> Cost:
    """MACs of the classifier at `resolution`. Raises `ResolutionError` unless the patch divides its width and height.

    The head reads the class token alone (a distilled model's two heads read two, a mean over the patches reads all), so
    the lowered last block computes that row: keys and values for all tokens, everything else for one. At MLP ratio 4
    its linear MACs are about a sixth of a whole block's.
    """
    patches, tokens = config.grid(resolution).patches, config.tokens(resolution)
    embedding = Cost(embedding_macs(config, patches), 0)
    head = Cost(head_macs(config), 0) + pooling_cost(config, patches if config.pooled_from else tokens)
    read = config.front_read if config.pooling == "class" else None
    total = embedding + block_cost(config, tokens, read=read) + head
    for _ in range(config.depth - 1):
        total += block_cost(config, tokens)
    return total


def embedding_macs(config: ViTConfig, patches: int) -> int:
    """Of the convolution that makes tokens of so many patches, and of those in front of it."""
    if not config.stem_widths:
        return patches * 3 * config.patch**2 * config.width
    widths = (3, *config.stem_widths, config.width)
    places = [patches * 4**left for left in reversed(range(len(widths) - 1))]  # each has a quarter of those before
    return sum(9 * each * read * made for each, (read, made) in zip(places, pairwise(widths), strict=True))


def pooling_cost(config: ViTConfig, read: int) -> Cost:
    """Of attention pooling over so many tokens, whose query is folded into the keys: a number of each token for each
    head, one mean of all tokens for each, the values of these means; then output projection and MLP of one row."""
    if not config.pools_by_attention:
        return Cost(0, 0)
    width, heads = config.width, config.pooling_heads
    linear = read * width * heads + heads * width**2 + width**2 + 2 * width * config.mlp_width
    return Cost(linear, heads * read * width)


def head_macs(config: ViTConfig) -> int:
    """Of the classifier's linear layers, and of a projection in front of them."""
    if not config.cosine_scale:
        return config.classifiers * config.pooled_width * config.classes
    return config.pooled_width * config.projection + config.vector_width * config.classes


def divides(patch: int, resolution: Resolution) -> bool:
    """Whether a picture of that resolution is a whole number of patches across and down."""
    return resolution.width % patch == 0 and resolution.height % patch == 0


def parameters(config: ViTConfig) -> int:
    """Trainable numbers of the Keras model; about as many bytes in `int8`, four times that in `float32`."""
    width, hidden = config.width, config.mlp_width
    widths = (3, *config.stem_widths, width)
    side = 3 if config.stem_widths else config.patch
    embedding = sum(side**2 * read * made + made for read, made in pairwise(widths))
    learned = config.tokens(config.base_resolution) if config.learned_positions else 0
    positions = (config.prefix + learned) * width  # tokens in front, one position each
    attention = 4 * (width * width + width)
    mlp = width * hidden + hidden + hidden * width + width
    norms = 4 * width + (4 * config.head_width if config.qk_norm else 0)  # gamma and beta of each
    pool = width + attention + mlp + 2 * width if config.pools_by_attention else 0
    once = 2 * width * (2 if config.input_norm else 1)
    return embedding + positions + config.depth * (attention + mlp + norms) + once + pool + _head_parameters(config)


def _head_parameters(config: ViTConfig) -> int:
    """Of the classifier's heads and of the vector's projection."""
    projection = config.projection and config.projection * (config.pooled_width + 1)
    read = config.vector_width if config.cosine_scale else config.pooled_width
    return projection + config.classifiers * (read + 1) * config.classes
