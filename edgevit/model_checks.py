"""What of a `ViTConfig`, whose module stands on this one, must fit together."""

from __future__ import annotations

from typing import Any

from edgevit.errors import ConfigError, unknown_key
from edgevit.model_choices import POOLINGS, ROTARIES, STEMS

LARGEST = {"width": 16384, "depth": 512, "mlp_width": 131072, "patch": 1024, "classes": 2**20, "registers": 64}
LARGEST_GRID = 4096
"""Of a rotary grid, rows or columns. Far beyond any ViT that there is: what asks for more is damaged."""


def check_pooling(config: Any) -> None:
    """Raises `ConfigError` unless what stands for the whole picture can be made of its tokens."""
    if config.pooling not in POOLINGS:
        raise unknown_key("pooling", config.pooling, POOLINGS)
    if not isinstance(config.projection, int) or not 0 <= config.projection <= LARGEST["width"]:
        raise ConfigError(f"projection must be a width from 0 to {LARGEST['width']}, not {config.projection!r}")
    if not 0.0 <= config.cosine_scale < float("inf"):
        raise ConfigError(f"cosine_scale must be 0 or above, not {config.cosine_scale!r}")
    if config.pool_norm and config.pooling != "mean":
        raise ConfigError(f"pool_norm is of the mean of the patch tokens: pooling must be mean, not {config.pooling!r}")
    if not isinstance(config.pool_heads, int) or config.pool_heads < 0 or config.width % (config.pool_heads or 1):
        raise ConfigError(f"pool_heads must be a divisor of the width {config.width}, or 0, not {config.pool_heads!r}")
    if not isinstance(config.registers, int) or not 0 <= config.registers <= LARGEST["registers"]:
        raise ConfigError(f"registers must be a number from 0 to {LARGEST['registers']}, not {config.registers!r}")
    if config.distilled and (config.pooling != "class" or config.cosine_scale):
        raise ConfigError("a distilled model's two heads are linear layers on its two tokens, and on nothing else")
    if not config.class_token and config.pooling in ("class", "class-mean"):
        raise ConfigError(f"pooling {config.pooling!r} reads a class token, and class_token is false")


def check_rotary(config: Any) -> None:
    """Raises `ConfigError` unless the fields of rotary positions fit each other and a head's width."""
    rotary, theta, grid = config.rotary, config.rotary_theta, config.rotary_grid
    if rotary and rotary not in ROTARIES:
        raise unknown_key("rotary", rotary, ROTARIES)
    if not 0.0 < theta < float("inf"):
        raise ConfigError(f"rotary_theta must be above 0, not {theta!r}")
    wanted, most = 2 if rotary == "index" else 0, LARGEST_GRID
    if len(grid) != wanted or not all(isinstance(each, int) and 1 <= each <= most for each in grid):
        what = f"two whole numbers from 1 to {most}, the rows and columns to count on" if wanted else "empty"
        raise ConfigError(f"rotary_grid must be {what}, with rotary {rotary!r}, not {list(grid)}")
    if rotary and config.head_width % 4:
        raise ConfigError(f"rotary positions turn a head's channels in fours, and its width is {config.head_width}")
    if rotary and config.qk_norm:
        raise ConfigError("rotary positions and qk_norm together are not supported")


def check_stem(config: Any) -> None:
    """Raises `ConfigError` unless pixels can become tokens in the way that is named."""
    if config.stem not in STEMS:
        raise unknown_key("stem", config.stem, STEMS)
    if config.stem == "convolutions" and (config.patch < 4 or config.patch & (config.patch - 1)):
        raise ConfigError(f"a stem of convolutions halves sides: patch must be 4, 8, 16, ..., not {config.patch}")
    if config.stem == "convolutions" and config.width < config.patch // 2:
        raise ConfigError(f"a stem of convolutions needs a width of {config.patch // 2} or more, not {config.width}")
