"""Where a recipe's static ranges come from: pictures, or what the model learned; known before TensorFlow is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters.quantize.calibration import calibration_entry, calibration_files
from converters.quantize.recipes import RECIPES, Recipe
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConversionError

__all__ = ["RangeSource", "check_ranges", "find_ranges"]


@dataclass(frozen=True)
class RangeSource:
    """Where static ranges come from: pictures, what the model learned, or nowhere, for recipes without."""

    files: tuple[Path, ...] = ()
    learned: ActivationRanges | None = None
    described: dict[str, Any] | None = None
    """For the manifest."""


def find_ranges(learned: ActivationRanges | None, recipe: Recipe, folder: str | Path | None) -> RangeSource:
    """Raises `ConversionError` where the recipe needs ranges and there are none, or has no use for pictures.

    learned: what the model was fine-tuned with.
    """
    check_ranges(learned, recipe, folder)
    if folder is not None:
        files = calibration_files(Path(folder))
        return RangeSource(files=files, described=calibration_entry(folder, files))
    if not recipe.needs_calibration or learned is None:
        return RangeSource()
    own = ActivationRanges(recipe.name, learned.ranges)
    return RangeSource(learned=own, described={"learned_for": learned.recipe, "ranges": len(learned.ranges)})


def check_ranges(learned: ActivationRanges | None, recipe: Recipe, folder: str | Path | None) -> None:
    """Raises `ConversionError` as `find_ranges`; looks at no picture."""
    if folder is not None and not recipe.uses_calibration:
        names = ", ".join(name for name, each in RECIPES.items() if each.uses_calibration)
        raise ConversionError(f"the recipe {recipe.name} uses no calibration; leave it out, or choose one of {names}")
    if folder is None and recipe.needs_calibration and not recipe.is_learned(learned):
        other = f" (this model's ranges were learned for {learned.recipe})" if learned else ""
        raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR{other}")
