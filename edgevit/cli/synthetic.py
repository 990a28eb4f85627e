"""`edgevit synthetic`: the drawn data sets as files."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit_runtime.resolution import as_resolution
from edgevit_runtime.wording import counted


@click.command(
    "synthetic",
    cls=GroupedCommand,
    examples=(
        "synthetic pictures/ --pictures 200",
        "synthetic panels/ --scene panels --pictures 400 --size 160x96",
        "synthetic shapes/ --scene shapes --pictures 4000 --size 64",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--scene", default="dials", show_default=True, help="dials, panels, gauges, shapes or unseen-shapes.")
@click.option("--pictures", type=click.IntRange(min=10), default=1000, show_default=True)
@click.option("--size", default="128", show_default=True, help="Pixels on a side, or such as 160x96.")
@click.option("--seed", type=click.IntRange(min=0), default=1000, show_default=True, help="Not one of training's.")
@quiet_option
def command(folder: Path, scene: str, pictures: int, size: str, seed: int, quiet: bool) -> None:
    """Draw labelled pictures, seen by a bad camera, into FOLDER.

    dials: a dial gauge each, in class folders; the needle's angle is the class. panels: gauges, switches, lamps and
    buttons, with masks, boxes and the gauges' points (segment, detect). gauges: one large gauge each, with the same
    labels (keypoints). shapes: coloured shapes with captions in pairs.csv (image-text); unseen-shapes: combinations of
    colour and shape that these leave out, in class folders by their names.

    They are for trying the tools out and say nothing about pictures of the world. `edgevit train synthetic --seed S`
    trains on the seed 2S and validates on 2S + 1; others draw what it has not seen.
    """
    from edgevit.data.synthetic_scenes import get_scene

    drawn, resolution = get_scene(scene), as_resolution(size)
    drawn.write(folder, pictures, resolution, seed)
    console_for(None, quiet).print(
        f"{folder}: {counted(pictures, 'synthetic picture')} of {resolution} px: {drawn.summary}"
    )
