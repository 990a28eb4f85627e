"""What one picture makes the device do, counted by kind: each kind has a rate of its own on a device.

MACs alone do not carry from one shape to another: a narrow model spends relatively more on norms, GELU and copies,
whose number grows with N·d and not with N·d², and on softmax, which knows heads and not their width.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

from edgevit.config import ViTConfig, nearest_resolution
from edgevit.errors import EdgeViTError, ProfileError
from edgevit.latency.cost import cost, parameters
from edgevit.variants import VARIANTS, variant_config
from edgevit_runtime.resolution import ResolutionLike, as_resolution

if TYPE_CHECKING:
    from edgevit.latency.profile import Profile

__all__ = ["KINDS", "Workload", "shape_of", "work"]

KINDS = ("linear_macs", "attention_macs", "token_elements", "pair_elements", "pixels", "weights", "blocks")
HEAD_WIDTH = 64
"""What published ViTs have, from DeiT-Ti to ViT-L: taken where nobody tells the number of heads."""


@dataclass(frozen=True)
class Workload:
    """One inference of the lowered graph, batch 1."""

    linear_macs: int
    attention_macs: int
    token_elements: int
    """Numbers that pass through norms, GELU, residuals and row quantization: N·(4·d + the MLP's width) a block."""
    pair_elements: int
    """Numbers in attention's matrices, which softmax reads and writes: heads·N² a block."""
    pixels: int
    """Numbers of the picture, 3·W·H: converted from bytes and gathered into patches."""
    weights: int
    """Of the encoder and the head: read once a picture, from memory where the caches do not hold them."""
    blocks: int
    """Encoder blocks: each starts about thirty ops, however small they are."""

    def vector(self) -> tuple[float, ...]:
        """In the order of `KINDS`."""
        return tuple(float(getattr(self, kind)) for kind in KINDS)


def work(config: ViTConfig, resolution: ResolutionLike) -> Workload:
    """Of the classifier at `resolution`; the lowered last block computes the class token's row alone (see `cost`).

    Raises `ResolutionError` unless the patch divides its width and height.
    """
    macs, tokens = cost(config, resolution), config.tokens(resolution)
    rows = config.front_read if config.pooling == "class" else tokens
    whole, wide = config.depth - 1, 4 * config.width + config.mlp_width
    return Workload(
        linear_macs=macs.linear_macs,
        attention_macs=macs.attention_macs,
        token_elements=whole * tokens * wide + tokens * 2 * config.width + rows * wide,
        pair_elements=config.heads * (whole * tokens + rows) * tokens,
        pixels=3 * as_resolution(resolution).pixels,
        weights=parameters(config),
        blocks=config.depth,
    )


def shape_of(profile: Profile, heads: int | None = None) -> ViTConfig:
    """The shape whose MACs the profile holds: its variant where it has that name, or solved from the MACs themselves.

    Raises `ProfileError` where no ViT of ours has these MACs (another maker's model), or one point tells too little.
    """
    config = _solved(profile)
    named = (profile.variant or "").partition("/")[0]
    if heads is None and named in VARIANTS:
        row = variant_config(named)
        heads = row.heads if row.width == config.width else None
    if heads is None:
        heads = max(1, config.width // HEAD_WIDTH)
    while config.width % heads:  # a width that is no multiple of 64
        heads -= 1
    config = config.with_(heads=heads, variant=profile.variant or "custom")
    if any(cost(config, point.resolution) != point.macs for point in profile.points):
        raise _foreign(profile)
    return config


def _solved(profile: Profile) -> ViTConfig:
    """Width, depth, MLP width and classes from two points: `cost` turned round. Exact, as all are whole numbers."""
    points, patch, rows = profile.points, profile.patch, profile.points[0].prefix
    low, high = points[0], points[-1]  # the fewest and the most tokens
    if low.tokens == high.tokens:
        raise ProfileError(
            f"{profile.model}: a shape cannot be told from one number of tokens: profile more of the ladder"
        )
    # Attention: 2·N²·d·(depth - 1) + 2·rows·N·d, so attention / 2N is a line in N.
    halves = [point.macs.attention_macs / (2 * point.tokens) for point in (low, high)]
    slope = (halves[1] - halves[0]) / (high.tokens - low.tokens)
    width = round((halves[0] - slope * low.tokens) / rows)
    whole = round(slope / width) if width > 0 else 0
    # Linear: N·(3P²·d + whole·(4d² + 2dm) + 2d²) + rows·(-3P²·d + 2d² + 2dm + d·classes).
    per_token = (high.macs.linear_macs - low.macs.linear_macs) / (high.tokens - low.tokens)
    embedding = 3 * patch**2 * width
    if whole < 1:
        raise _foreign(profile)
    mlp = round(((per_token - embedding - 2 * width**2) / whole - 4 * width**2) / (2 * width))
    once = (low.macs.linear_macs - per_token * low.tokens) / rows + embedding - 2 * width**2 - 2 * width * mlp
    try:
        return ViTConfig(
            width=width,
            depth=whole + 1,
            heads=1,
            classes=round(once / width),
            mlp_width=mlp,
            patch=patch,
            base_resolution=nearest_resolution(isqrt(low.resolution.pixels), patch),
            distilled=rows == 2,
        )
    except EdgeViTError as error:
        raise _foreign(profile) from error


def _foreign(profile: Profile) -> ProfileError:
    if profile.task not in (None, "classify"):
        return ProfileError(
            f"{profile.model} was profiled for {profile.task}, and latencies are predicted of classifiers alone: "
            "profile one with --task classify"
        )
    return ProfileError(
        f"the MACs of {profile.model} are not those of a ViT of edgevit's: nothing can be predicted from it"
    )
