"""`edgevit plan`: which variant, recipe and resolution to take on a device."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand

_PATHS = click.Path(path_type=Path)


@click.command(
    "plan",
    cls=GroupedCommand,
    examples=("plan pi.json evaluation.json --budget-ms 50",),
)
@click.argument("paths", metavar="[FILE.json ...]", nargs=-1, type=_PATHS)
@click.option("--device-profile", multiple=True, type=_PATHS, help="A profile made on the device.")
@click.option("--eval", multiple=True, type=_PATHS, help="An evaluation, to plan by.")
@click.option(
    "--budget-ms", type=click.FloatRange(min=0, min_open=True), help="Exit with 1 where nothing on a device fits it."
)
@click.option("--variants", help="Without evaluations: variants to predict beside, such as vit-nano,vit-tiny/8.")
@click.option("--png", type=_PATHS, help="Write the picture of the front.")
@json_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    device_profile: tuple[Path, ...],
    eval: tuple[Path, ...],
    budget_ms: float | None,
    variants: str | None,
    png: Path | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Choose variant, recipe and resolution from what was measured on a device, and what can be predicted from it.

    FILEs are profiles and evaluations in any order, as after --device-profile and --eval. Shown is the Pareto front:
    what nothing else is both as fast and as accurate as. Within a budget the fastest is taken that the pictures do not
    tell from the most accurate one; without an evaluation the largest that fits. Evaluated models that nobody profiled
    are predicted, and marked so. Of several devices each gets a plan of its own.
    """
    from edgevit.api.plan import plan
    from edgevit.latency.plan import Plan
    from edgevit.report.text.plan_table import plan_view

    console = console_for(json_target, quiet, overwrite)
    plans: list[Plan] = []
    document = plan(
        paths,
        device_profile=device_profile,
        eval=eval,
        budget_ms=budget_ms,
        variants=variants,
        png=png,
        overwrite=overwrite,
        on_result=plans.extend,
    )
    console.print(plan_view(plans))
    emit_json(document, json_target)
    for each in plans:
        each.check()
