"""`edgevit inspect`: what an artefact holds."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option
from edgevit.converters import inspect
from edgevit.report.inspection import inspection_table, manifest_lines


@click.command("inspect", cls=JsonCommand)
@click.argument("artefact", type=click.Path(path_type=Path))
@json_option
@quiet_option
def command(artefact: Path, json_target: str | None, quiet: bool) -> None:
    """Show what ARTEFACT holds: size, ops, partitions and MACs by resolution, and its manifest.

    One whose bytes are not those that were sealed is refused.
    """
    inspection = inspect(artefact)
    console = console_for(json_target, quiet)
    console.print(inspection_table(inspection))
    for line in manifest_lines(inspection):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(inspection, json_target)
