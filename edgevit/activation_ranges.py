"""The ranges that quantization-aware fine-tuning learned: they travel from the trainer to `convert` with the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgevit.errors import ConfigError

__all__ = ["ActivationRanges"]


@dataclass(frozen=True)
class ActivationRanges:
    """What a recipe with static ranges has to know of a model's activations, at every resolution."""

    recipe: str
    """The one recipe that the ranges were learned for."""
    ranges: Mapping[str, tuple[float, float]]
    """Site (`block3/norm1/squares`) -> the real numbers that int8 -128 and 127 stand for."""

    def __post_init__(self) -> None:
        for site, (low, high) in self.ranges.items():
            if not (math.isfinite(low) and math.isfinite(high) and low <= 0.0 <= high and low < high):
                raise ConfigError(
                    f"the range learned for {site} is [{low:g}, {high:g}]; it must be finite, hold 0 and not be empty: "
                    "fine-tune again with a lower learning rate"
                )

    def to_dict(self) -> dict[str, Any]:
        return {"recipe": self.recipe, "ranges": {site: list(ends) for site, ends in self.ranges.items()}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ActivationRanges:
        try:
            ranges = {str(site): (float(low), float(high)) for site, (low, high) in values["ranges"].items()}
            return cls(str(values["recipe"]), ranges)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the model's calibration is damaged: {type(error).__name__} {error}") from error
