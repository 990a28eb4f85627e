"""`edgevit report`: a profile and evaluations become one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import check_output, console_for, quiet_option
from edgevit.errors import ConfigError


@click.command("report")
@click.argument("paths", metavar="FILE.json ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The HTML file to write.")
@click.option("--png", "png_path", type=click.Path(path_type=Path), help="Write the picture as PNG too.")
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0, min_open=True),
    help="Recommend for this budget, not the profile's own; exit with 1 where no resolution fits.",
)
@click.option("--title", help="The report's heading.")
@quiet_option
def command(
    paths: tuple[Path, ...],
    output: Path,
    png_path: Path | None,
    budget_ms: float | None,
    title: str | None,
    quiet: bool,
) -> None:
    """Write one HTML file from what `edgevit profile --json` and `edgevit evaluate --json` wrote, in any order.

    It holds the curve with its linear and quadratic parts, accuracy by resolution, and a recommendation; of several
    profiles (other devices, recipes, models) also all curves in one picture, and what is the best choice of them all.
    """
    from edgevit.files import write_bytes, write_text
    from edgevit.latency.comparison import Comparison
    from edgevit.report.charts.canvas import png
    from edgevit.report.charts.curve_charts import combined_figure
    from edgevit.report.charts.overlay_charts import latency_overlay
    from edgevit.report.html.page import render
    from edgevit.report.input_documents import read_documents

    check_output(output, ".html")
    check_output(png_path, ".png")
    profiles, accuracies = read_documents(paths)
    if not profiles:
        raise ConfigError("a report needs a profile: make one with `edgevit profile X.tflite --json profile.json`")
    if budget_ms is not None:
        profiles = tuple(profile.within(budget_ms) for profile in profiles)
    # Both are made before either is written: an error leaves no half of a report.
    page = render(profiles, accuracies, title=title)
    picture = b""
    if png_path:
        several = len(profiles) > 1
        picture = png(latency_overlay(Comparison(profiles)) if several else combined_figure(profiles[0], accuracies))
    write_text(output, page)
    if png_path:
        write_bytes(png_path, picture)
    console = console_for(None, quiet)
    console.print(f"wrote {output}" + (f" and {png_path}" if png_path else ""), soft_wrap=True, markup=False)
    for line in dict.fromkeys(filter(None, map(accuracies.unjoined, profiles))):
        console.print(f"not joined: {line}", soft_wrap=True, markup=False)
    over_budget = [profile.over_budget for profile in profiles if profile.over_budget]
    if budget_ms is not None and len(over_budget) == len(profiles):
        raise over_budget[0]
