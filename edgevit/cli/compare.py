"""`edgevit compare`: profiles side by side, and for CI whether something got slower."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "compare",
    cls=GroupedCommand,
    examples=(
        "compare before.json after.json --fail-slower 10%",
        "compare pi4.json pi5.json -o devices.html",
    ),
)
@click.argument("paths", metavar="PROFILE.json ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write an HTML report of them all.")
@click.option(
    "--fail-slower",
    metavar="PERCENT",
    help="Exit with 1 where a profile is slower than the first by more, such as 10%, beyond the scatter of the runs.",
)
@json_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    output: Path | None,
    fail_slower: str | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Put the curves of several devices, recipes or models, each PROFILE.json, beside the first one's.

    A median counts as slower where the limit is passed and the scatter cannot explain it: the fastest tenth of its runs
    (p10) is slower than the first profile's median, and its median slower than the first one's slowest tenth (p90).
    """
    from edgevit.api.compare import compare
    from edgevit.latency.comparison import Comparison
    from edgevit.report.text.comparison_table import comparison_view

    console = console_for(json_target, quiet, overwrite)
    found: list[Comparison] = []
    document = compare(paths, output=output, fail_slower=fail_slower, overwrite=overwrite, on_result=found.append)
    console.print(comparison_view(found[0]))
    emit_json(document, json_target)
    if output:
        console.print(f"wrote {output}", soft_wrap=True, markup=False)
    found[0].check()
