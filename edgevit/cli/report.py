"""`edgevit report`: a profile and evaluations become one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, overwrite_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "report",
    cls=GroupedCommand,
    examples=(
        "report profile.json evaluation.json -o report.html",
        "report pi4.json pi5.json evaluation.json --budget-ms 30 -o all.html",
    ),
)
@click.argument("paths", metavar="FILE.json ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the picture as PNG too.")
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0, min_open=True),
    help="Recommend for this budget, not the profile's own; exit with 1 where no resolution fits.",
)
@click.option("--title", help="The report's heading.")
@overwrite_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    output: Path,
    png: Path | None,
    budget_ms: float | None,
    title: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write one HTML file from each FILE.json that `edgevit profile` and `edgevit evaluate` wrote, in any order.

    It holds the curve with its linear and quadratic parts, accuracy by resolution, and a recommendation; of several
    profiles (other devices, recipes, models) also all curves in one picture, and what is the best choice of them all.
    """
    from edgevit.api.report import report

    console = console_for(None, quiet)
    report(
        paths,
        output=output,
        png=png,
        budget_ms=budget_ms,
        title=title,
        overwrite=overwrite,
        on_note=lambda line: console.print(line, soft_wrap=True, markup=False),
    )
