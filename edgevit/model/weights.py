"""One model's weights for another of the same shape: what fine-tuning starts from."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgevit.errors import ConfigError
from edgevit.model.positions import resampling_matrix
from edgevit.model.vit import ViT, named_weights

HEAD_FORMS = {
    "pool": ("pooling", "pool_heads"),
    "embed_head": ("pooling", "pool_norm", "projection"),
    "head": ("pooling", "pool_norm", "projection", "cosine_scale"),
}
"""By head, the fields that say what it reads, and how."""
SHAPE = (
    "width", "depth", "heads", "mlp_width", "patch", "attention", "registers", "activation", "class_token",
    "input_norm", "qk_norm", "learned_positions", "rotary", "rotary_theta", "rotary_grid", "stem",
)  # fmt: skip


def transfer(source: ViT, target: ViT, *, keep_head: bool) -> None:
    """Copies `source`'s weights into `target`; without `keep_head` the target's heads stay as they are, but for what
    makes the picture's vector of the same tokens.

    Positions are resampled where the base resolutions differ. A target with a distillation token that the source
    lacks starts it, its position and its head as the class token's; one that lacks the source's drops it.
    Raises `ConfigError` where the models differ in shape.
    """
    for name in SHAPE:
        ours, theirs = getattr(target.config, name), getattr(source.config, name)
        if ours != theirs:
            raise ConfigError(f"cannot start from a model with {name} {theirs!r}: this one has {ours!r}")
    weights = {name: np.asarray(variable) for name, variable in named_weights(source).items()}
    if source.config.learned_positions:
        weights["positions/positions"] = _positions(weights["positions/positions"], source, target)
    if target.config.distilled and not source.config.distilled:
        weights["positions/distillation_token"] = weights["positions/class_token"]
        for part in ("kernel", "bias") if source.config.classes else ():
            weights[f"distillation_head/linear/{part}"] = weights[f"head/linear/{part}"]
    for name, variable in named_weights(target).items():
        if not is_head(name) or (name in weights and _keeps(name, source, target, keep_head)):
            variable.assign(weights[name])


def _keeps(name: str, source: ViT, target: ViT, keep_head: bool) -> bool:
    """Whether a head's weight, which both have, means the same in both."""
    head = name.partition("/")[0]
    form = HEAD_FORMS.get(head, ())
    same = all(getattr(source.config, each) == getattr(target.config, each) for each in form)
    return same and (keep_head or head in ("embed_head", "pool"))


def is_head(name: str) -> bool:
    """Whether a weight belongs to a head, by its path: `head/linear/kernel`, `segment_head/near/bias`, `pool/query`."""
    return name.partition("/")[0].endswith(("head", "pool"))


def _positions(values: Any, source: ViT, target: ViT) -> Any:
    """[prefix + patches, width] of the source -> the same of the target."""
    base = source.config.grid(source.config.base_resolution)
    grid = target.config.grid(target.config.base_resolution)
    front, patches = values[: source.config.prefix], values[source.config.prefix :]
    registers = front[source.config.front_read :]
    read = [0, source.config.front_read - 1] if target.config.distilled else [0][: source.config.front_read]
    front = np.concatenate([front[read], registers])
    kernel = target.config.resampling
    down = resampling_matrix(grid.rows, base.rows, kernel)
    across = resampling_matrix(grid.columns, base.columns, kernel)
    plane = np.einsum("ri,cj,ijw->rcw", down, across, patches.reshape(*base, -1))
    return np.concatenate([front, plane.reshape(grid.patches, -1)])
