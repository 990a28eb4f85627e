"""`edgevit synthetic`: the drawn data set as files."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit_runtime.wording import counted


@click.command(
    "synthetic",
    cls=GroupedCommand,
    examples=("synthetic pictures/ --pictures 200",),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--pictures", type=click.IntRange(min=10), default=1000, show_default=True)
@click.option("--size", type=click.IntRange(min=16), default=128, show_default=True, help="Pixels on a side.")
@click.option("--seed", type=click.IntRange(min=0), default=1000, show_default=True, help="Not one of training's.")
@quiet_option
def command(folder: Path, pictures: int, size: int, seed: int, quiet: bool) -> None:
    """Draw synthetic dial gauges seen by a bad camera into class folders below FOLDER.

    The needle's angle is the class. They are for trying the tools out and say nothing about pictures of the world.
    `edgevit train synthetic --seed S` trains on the seed 2S and validates on 2S + 1; others draw what it has not seen.
    """
    from edgevit.data.dials import LABELS, write_dial_folder

    write_dial_folder(folder, pictures, size, seed)
    console_for(None, quiet).print(
        f"{folder}: {counted(pictures, 'synthetic picture')} of {size} px in {len(LABELS)} classes"
    )
