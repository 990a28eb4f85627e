"""`edgevit recipes`: how artefacts can be quantized."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option

if TYPE_CHECKING:
    from converters.quantize.recipes import Recipe


@click.command("recipes", cls=JsonCommand)
@click.argument("recipe", metavar="[RECIPE]", required=False)
@json_option
@quiet_option
def command(recipe: str | None, json_target: str | None, quiet: bool) -> None:
    """List the recipes for `edgevit convert --recipe`: what each does to which ops, why, and what it costs.

    With RECIPE that one alone. With FILE.toml in its place check and show a custom one; docs/quantization.md says
    what stands in it.
    """
    from converters.quantize.recipe_files import find_recipe
    from converters.quantize.recipes import RECIPES
    from edgevit.report.text.recipe_tables import recipes_table, rule_lines

    console = console_for(json_target, quiet)
    recipes = list(RECIPES.values()) if recipe is None else [find_recipe(recipe)]
    document = {"schema": "edgevit.recipes/1", "recipes": [_entry(each) for each in recipes]}
    console.print(recipes_table(document))
    if any(each.measured for each in recipes):
        where = "one thread of an x86-64 CPU with AVX512-VNNI (without int8 dot products int8 gains less)"
        console.print(f"measured on DeiT-Tiny at 224, {where}, 1300 ImageNet pictures", markup=False, soft_wrap=True)
    for line in rule_lines(document):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(document, json_target)


def _entry(recipe: Recipe) -> dict[str, Any]:
    rules = [{**asdict(rule), "has_weights": rule.has_weights} for rule in recipe.rules]
    return {**asdict(recipe), "rules": rules}
