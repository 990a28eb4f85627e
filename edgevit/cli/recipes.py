"""`edgevit recipes`: how artefacts can be quantized."""

from __future__ import annotations

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "recipes",
    cls=GroupedCommand,
    examples=(
        "recipes",
        "recipes mine.toml",
    ),
)
@click.argument("recipe", metavar="[RECIPE]", required=False)
@json_option
@quiet_option
def command(recipe: str | None, json_target: str | None, overwrite: bool, quiet: bool) -> None:
    """List the recipes for `edgevit convert --recipe`: what each does to which ops, why, and what it costs.

    With RECIPE that one alone. With FILE.toml in its place check and show a custom one; docs/quantization.md says
    what stands in it. Without, it also says which one `edgevit convert --for` picks for which kind of device.
    """
    from edgevit.api.recipes import recipes
    from edgevit.report.text.recipe_choice_table import device_lines
    from edgevit.report.text.recipe_tables import recipes_table, rule_lines

    console = console_for(json_target, quiet, overwrite)
    document = recipes(recipe)
    console.print(recipes_table(document))
    if any(each["measured"] for each in document["recipes"]):
        where = "one thread of an x86-64 CPU with AVX512-VNNI (without int8 dot products int8 gains less)"
        console.print(f"measured on DeiT-Tiny at 224, {where}, 1300 ImageNet pictures", markup=False, soft_wrap=True)
    for line in (*device_lines(document), *rule_lines(document)):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(document, json_target)
