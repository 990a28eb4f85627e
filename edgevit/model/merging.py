"""Several models over one backbone become one model with all their heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgevit.errors import ConfigError
from edgevit.merged_config import FREEZE, merged_config, two_heads
from edgevit.model.vit import ViT, build, named_weights
from edgevit.model.weights import is_head
from edgevit_runtime.resolution import Resolution

__all__ = ["merge_heads"]


def merge_heads(
    models: Mapping[str, ViT],
    *,
    resolutions: Sequence[Resolution] = (),
    resize: str | None = None,
    on_note: Callable[[str], None] = lambda _line: None,
) -> ViT:
    """One model with the heads of all these, by the names of their files; see `merged_config`.

    Ranges that a model learned in fine-tuning are not taken over: they know nothing of the others' heads.

    Raises `ConfigError` that names the first weight of the backbones that differs, or the task that two have another
    head for.
    """
    configs = {name: model.config for name, model in models.items()}
    config = merged_config(configs, resolutions=resolutions, resize=resize, on_note=on_note)
    weights = {name: _arrays(model) for name, model in models.items()}
    (first, backbone), *others = weights.items()
    for name, arrays in others:
        _check_backbone(first, backbone, name, arrays)
    merged = build(config)
    for weight, variable in named_weights(merged).items():
        having = {name: arrays[weight] for name, arrays in weights.items() if weight in arrays}
        (source, values), *rest = having.items()
        for name, each in rest if is_head(weight) else ():
            if not np.array_equal(each, values):
                raise two_heads(_task(weight), (source, name))
        variable.assign(values)
    return merged


def _arrays(model: ViT) -> dict[str, Any]:
    return {name: np.asarray(variable) for name, variable in named_weights(model).items()}


def _check_backbone(first: str, ours: Mapping[str, Any], other: str, theirs: Mapping[str, Any]) -> None:
    shared = [name for name in ours if not is_head(name)]
    differing = [name for name in shared if not np.array_equal(ours[name], theirs[name])]
    if differing:
        raise ConfigError(
            f"{first} and {other} have different backbones: {differing[0]} differs, as {len(differing)} of "
            f"{len(shared)} weights do; {FREEZE}"
        )


def _task(weight: str) -> str:
    """The task that a head's weight belongs to, by its path: `segment_head/near/bias`."""
    head = weight.partition("/")[0]
    return "classify" if head in ("head", "distillation_head", "pool") else head.removesuffix("_head")
