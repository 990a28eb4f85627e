"""`edgevit inspect`: what an artefact or a model holds."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.api.inspect import inspect
from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.report.text.inspection_table import inspection_table, manifest_lines, model_lines, running_lines


@click.command(
    "inspect",
    cls=GroupedCommand,
    examples=(
        "inspect deit.tflite",
        "inspect deit.keras --json",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@quiet_option
def command(file: Path, json_target: str | None, overwrite: bool, quiet: bool) -> None:
    """Show what FILE holds.

    \b
    an artefact (.tflite)       size, ops, partitions and MACs by resolution, where it runs, and its manifest
    an edgevit model (.keras)   variant and shape, classes, what pixels and pictures mean, resolutions, calibration

    An artefact whose bytes are not those that were sealed is refused.
    """
    console = console_for(json_target, quiet, overwrite)
    inspection, is_model = inspect(file), file.suffix == ".keras"
    if not is_model:
        console.print(inspection_table(inspection))
        for line in running_lines(inspection):
            console.print(line, markup=False, soft_wrap=True)
    for line in model_lines(inspection) if is_model else manifest_lines(inspection):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(inspection, json_target)
