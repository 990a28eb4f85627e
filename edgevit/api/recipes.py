"""`edgevit.recipes`: how artefacts can be quantized."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from converters.quantize.recipe_files import find_recipe
from converters.quantize.recipes import RECIPES, Recipe
from converters.search.recipe_candidates import example
from edgevit.api.arguments import in_known_words
from edgevit.latency.device_kinds import DEVICE_KINDS

__all__ = ["recipes"]


@in_known_words
def recipes(recipe: str | Path | None = None) -> dict[str, Any]:
    """The `edgevit.recipes/1` document: what each does to which ops, why, and what it costs.

    Of all of them it also has, under `devices`, which one `convert(for_=...)` picks for DeiT-Tiny at 224 where there
    are pictures to calibrate with, each as an `edgevit.recipe_choice/1` document.

    recipe: that one alone, by its name or its `.toml` file, which is checked; None: all built-in ones. Raises
    `ConfigError` for one that there is not, or that cannot be.
    """
    if recipe is not None:
        return {"schema": "edgevit.recipes/1", "recipes": [_entry(find_recipe(recipe))]}
    return {
        "schema": "edgevit.recipes/1",
        "recipes": [_entry(each) for each in RECIPES.values()],
        "devices": [example(each, calibrated=True).to_dict() for each in DEVICE_KINDS.values()],
    }


def _entry(recipe: Recipe) -> dict[str, Any]:
    rules = [{**asdict(rule), "has_weights": rule.has_weights} for rule in recipe.rules]
    return {**asdict(recipe), "rules": rules}
