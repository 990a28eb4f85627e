"""`edgevit plan`: which variant, recipe and resolution to take on a device."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, check_output, console_for, emit_json, json_option, quiet_option
from edgevit.errors import ConfigError

_PATHS = click.Path(path_type=Path)


@click.command("plan", cls=JsonCommand)
@click.argument("paths", metavar="[FILE.json ...]", nargs=-1, type=_PATHS)
@click.option("--device-profile", "profile_paths", multiple=True, type=_PATHS, help="A profile made on the device.")
@click.option("--eval", "evaluation_paths", multiple=True, type=_PATHS, help="An evaluation, to plan by.")
@click.option(
    "--budget-ms", type=click.FloatRange(min=0, min_open=True), help="Exit with 1 where nothing on a device fits it."
)
@click.option("--variants", help="Without evaluations: variants to predict beside, such as vit-nano,vit-tiny/8.")
@click.option("--png", "png_path", type=_PATHS, help="Write the picture of the front.")
@json_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    profile_paths: tuple[Path, ...],
    evaluation_paths: tuple[Path, ...],
    budget_ms: float | None,
    variants: str | None,
    png_path: Path | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Choose variant, recipe and resolution from what was measured on a device, and what can be predicted from it.

    FILEs are profiles and evaluations in any order, as after --device-profile and --eval. Shown is the Pareto front:
    what nothing else is both as fast and as accurate as. Evaluated models that nobody profiled are predicted, and
    marked so. Without an evaluation the largest that fits is chosen. Of several devices each gets a plan of its own.
    """
    from edgevit.files import write_bytes
    from edgevit.latency.plan import plans_document
    from edgevit.report.candidates import make_plans
    from edgevit.report.input_documents import check_evaluations, check_profiles, read_documents
    from edgevit.report.text.plan_table import plan_view

    console = console_for(json_target, quiet)
    check_output(png_path, ".png")
    check_profiles(profile_paths)
    check_evaluations(evaluation_paths)
    profiles, accuracies = read_documents((*profile_paths, *evaluation_paths, *paths))
    if not profiles:
        raise ConfigError("a plan needs a profile of the device: --device-profile PROFILE.json")
    names = [name.strip() for name in (variants or "").split(",") if name.strip()]
    plans = make_plans(profiles, accuracies, budget_ms, names)
    if png_path and len(plans) > 1:
        devices = ", ".join(plan.device for plan in plans)
        raise ConfigError(f"--png is for one device, and these profiles are of {len(plans)}: {devices}")
    if png_path:
        from edgevit.report.charts.canvas import png
        from edgevit.report.charts.plan_chart import plan_figure

        write_bytes(png_path, png(plan_figure(plans[0])))
    console.print(plan_view(plans))
    emit_json(plans_document(plans), json_target)
    for plan in plans:
        plan.check()
