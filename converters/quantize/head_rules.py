"""What a classifier by cosines asks of a recipe: that its labels can be exchanged later, without pictures.

`edgevit relabel` puts other vectors into the head of a finished artefact (`converters.artefact.head_exchange`). The
range of the logits goes by the labels: one that was calibrated with old labels would clip the new ones.
"""

from __future__ import annotations

from dataclasses import replace

from converters.quantize.activations import VALUES, rule_of
from converters.quantize.recipes import LINEAR, OUTSIDE, RECIPES, Recipe, Rule
from edgevit.config import ViTConfig

__all__ = ["exchangeable", "for_head"]


def exchangeable(config: ViTConfig) -> tuple[str, ...]:
    """The sites of the linear layers that may get other weights in the artefact: rounded to nearest, now as then."""
    return (VALUES,) if config.cosine_scale else ()


def for_head(recipe: Recipe, config: ViTConfig) -> Recipe:
    """The recipe as it is applied to a model: logits that are cosines have a range for each row, as it runs.

    A built-in recipe's rules give way; those of a custom one behind them stand. Where all is integer there is no such
    range, and `relabel` refuses.
    """
    base = RECIPES.get(recipe.base or recipe.name)
    if recipe.integer_io or base is None or not exchangeable(config):
        return recipe
    static = rule_of(VALUES, OUTSIDE, base)
    if static is None or not static.is_static:
        return recipe
    own = Rule(
        LINEAR[VALUES],
        static.weight,
        "int8-dynamic",
        sites=(VALUES,),
        why="its range goes by the labels, which `relabel` exchanges without pictures",
    )
    return replace(recipe, rules=(*base.rules, own, *recipe.rules[len(base.rules) :]))
