"""Presets: all that a kind of training wants, under one name. Options of `edgevit train` override their part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgevit.errors import unknown_key


@dataclass(frozen=True)
class Preset:
    """Values for `TrainSpec` (and the model's stochastic depth), with what they are for."""

    values: dict[str, Any]
    stochastic_depth: float
    """The chance that the last block's branch is dropped."""
    summary: str
    source: str
    views: int = 0
    """So many pictures are shown in all, in a number of epochs that follows from how many there are; 0: as `values`
    say."""


PRESETS: dict[str, Preset] = {
    "fine-tune": Preset(
        {
            "epochs": 8, "batch": 32, "learning_rate": 5e-4, "layer_decay": 0.75, "weight_decay": 0.05,
            "label_smoothing": 0.1, "ema": 0.99, "self_distillation": 1.0,
        },
        stochastic_depth=0.1,
        summary="from weights that can see already: a few epochs, lower layers move less, small learns from large",
        source="layer decay and drop path as BEiT fine-tunes, arXiv 2106.08254, appendix",
    ),
    "scratch": Preset(
        {"epochs": 30, "batch": 64, "learning_rate": 1e-3, "weight_decay": 0.05, "label_smoothing": 0.1,
         "single_share": 0.5},
        stochastic_depth=0.0,
        summary="fresh weights and thousands of pictures: one resolution first, then all; light augmentation",
        source="AdamW, cosine and smoothing as DeiT, arXiv 2012.12877, table 9",
    ),
    "small-data": Preset(
        {
            "epochs": 100, "batch": 64, "learning_rate": 1e-3, "weight_decay": 0.05, "label_smoothing": 0.1,
            "single_share": 0.5, "ema": 0.998, "trivial_augment": True, "mixup": 0.8, "cutmix": 1.0, "erasing": 0.25,
        },
        stochastic_depth=0.1,
        summary="fresh weights and few pictures: long, with all the regularisation that DeiT needed",
        source="DeiT, arXiv 2012.12877, table 9; TrivialAugment in the place of RandAugment",
    ),
    "dense": Preset(
        {"epochs": 24, "batch": 8, "learning_rate": 1e-3, "layer_decay": 0.75, "backbone_rate": 0.3,
         "weight_decay": 0.05, "label_smoothing": 0.0, "ema": 0.995, "mosaic": 0.5},
        stochastic_depth=0.1,
        views=8_000,
        summary="a head that reads all tokens, on weights that can see already (masks, boxes, points with --from)",
        source="layer decay and drop path as BEiT fine-tunes, arXiv 2106.08254, appendix",
    ),
    "dense-scratch": Preset(
        {"epochs": 60, "batch": 16, "learning_rate": 1e-3, "weight_decay": 0.05, "label_smoothing": 0.0, "ema": 0.99,
         "mosaic": 0.5},
        stochastic_depth=0.0,
        views=30_000,
        summary="the same with fresh weights",
        source="AdamW and cosine as DeiT, arXiv 2012.12877, table 9",
    ),
    "qat": Preset(
        {"epochs": 3, "batch": 32, "learning_rate": 2e-5, "weight_decay": 0.0, "label_smoothing": 0.1, "ema": 0.99},
        stochastic_depth=0.0,
        summary="quantization-aware: a few careful epochs from a trained model (--qat RECIPE chooses it)",
        source="Jacob et al. 2018, arXiv 1712.05877, section 3: fine-tune with simulated quantization",
    ),
}  # fmt: skip


def get_preset(name: str) -> Preset:
    """The named preset. Raises `ConfigError` that lists the names."""
    if name not in PRESETS:
        raise unknown_key("preset", name, PRESETS)
    return PRESETS[name]
