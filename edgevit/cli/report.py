"""`edgevit report`: a profile and evaluations become one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, quiet_option
from edgevit.errors import ConfigError


@click.command("report")
@click.argument("profile_path", metavar="PROFILE.json", type=click.Path(path_type=Path))
@click.argument("evaluation_paths", metavar="[EVAL.json ...]", nargs=-1, type=click.Path(path_type=Path))
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
    profile_path: Path,
    evaluation_paths: tuple[Path, ...],
    output: Path,
    png_path: Path | None,
    budget_ms: float | None,
    title: str | None,
    quiet: bool,
) -> None:
    """Write one HTML file from what `edgevit profile --json` and `edgevit evaluate --json` wrote.

    It holds the curve with its linear and quadratic parts, accuracy by resolution, and a recommendation.
    """
    from edgevit.files import check_writable, write_bytes, write_text
    from edgevit.latency.profile import read_profile
    from edgevit.report.accuracy import read_accuracies
    from edgevit.report.canvas import png
    from edgevit.report.html import render
    from edgevit.report.plots import combined_figure

    for path, suffix in ((output, ".html"), (png_path, ".png")):
        if path is None:
            continue
        if path.suffix.lower() != suffix:  # a slip of the hand must not replace a profile
            raise ConfigError(f"{path} must end in {suffix}")
        check_writable(path)
    profile = read_profile(profile_path)
    accuracies = read_accuracies(evaluation_paths)
    if budget_ms is not None:
        profile = profile.within(budget_ms)
    # Both are made before either is written: an error leaves no half of a report.
    page = render(profile, accuracies, title=title)
    picture = png(combined_figure(profile, accuracies)) if png_path else b""
    write_text(output, page)
    if png_path:
        write_bytes(png_path, picture)
    console = console_for(None, quiet)
    console.print(f"wrote {output}" + (f" and {png_path}" if png_path else ""), soft_wrap=True, markup=False)
    if budget_ms is not None and profile.unmet:
        raise profile.unmet[-1]
