"""`edgevit profile`: latency at each resolution, and the curve through it."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import (
    JsonCommand,
    console_for,
    emit_json,
    json_option,
    parse_resolutions,
    quiet_option,
)


@click.command("profile", cls=JsonCommand)
@click.argument("artefact", type=click.Path(path_type=Path))
@click.option("--resolutions", help="Which of the artefact's resolutions, such as 96,128,224. Default: all.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads to run on.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="The most to spend on each resolution.")
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0, min_open=True),
    help="Recommend the largest resolution whose median fits; exit with 1 where none does.",
)
@click.option("--predict", help="Resolutions that were not run, to predict by the curve, such as 272,352.")
@click.option("--device", default="local", show_default=True, help="Where to run.")
@json_option
@quiet_option
def command(
    artefact: Path,
    resolutions: str | None,
    threads: int,
    seconds: float | None,
    budget_ms: float | None,
    predict: str | None,
    device: str,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Measure latency at each resolution of ARTEFACT and fit t(N) = a + bN + cN².

    Runs the runtime in a process of its own. The curve needs at least five resolutions.
    """
    from edgevit.latency.profile import measure
    from edgevit.report.tables import profile_view

    wanted = () if resolutions is None else parse_resolutions(resolutions)
    unseen = () if predict is None else parse_resolutions(predict)
    console = console_for(json_target, quiet)
    with console.status(f"measuring {artefact.name} ({device})"):
        profile = measure(artefact, device=device, resolutions=wanted, threads=threads, seconds=seconds)
    profile = profile.predicting(unseen)
    if budget_ms is not None:
        profile = profile.within(budget_ms)
    console.print(profile_view(profile))
    emit_json(profile.to_dict(), json_target)
    if profile.curve_note:
        click.echo(f"edgevit: {profile.curve_note}", err=True)
    if profile.unmet:
        raise profile.unmet[0]
