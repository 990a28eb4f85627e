"""`edgevit sensitivity`: where a recipe loses accuracy."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from edgevit.cli.console import console_for, emit_json, json_option, progress_bar, quiet_option
from edgevit.cli.grouped_command import GroupedCommand


@click.command(
    "sensitivity",
    cls=GroupedCommand,
    examples=("sensitivity deit.keras photos/ --recipe int8-full --png where.png",),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--recipe", default="int8-full", show_default=True, help="int8, int8-static, int8-full, int4, or a .toml file."
)
@click.option("--task", help="Whose outputs: classify, segment, detect or keypoints [default: what the model answers].")
@click.option("--resolution", help="Such as 224 or 640x384 [default: the one that the model was trained at].")
@click.option("--resize", help="Preprocessing: crop:0.875, squash or letterbox [default: the model's own].")
@click.option("--limit", type=click.IntRange(min=1), default=32, show_default=True, help="How many pictures to use.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the table as a picture, too.")
@json_option
@quiet_option
def command(
    model: Path,
    data: Path,
    task: str | None,
    recipe: str,
    resolution: str | None,
    resize: str | None,
    limit: int,
    png: Path | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure what quantizing each class of ops of each block of MODEL.keras alone costs, on the pictures of DATA.

    DATA is a folder of pictures; no labels are needed. They calibrate, too: all is computed by simulation.
    Shares are of the KL divergence from the float model, or of masks, boxes and points of the noise in what the head
    puts out; where DATA is labelled for them, their mIoU, AP or PCK is told, too. It runs all pictures once for each
    class of each block: minutes for 32, a quarter of that for 8.
    """
    console = console_for(json_target, quiet, overwrite)
    from edgevit.api.sensitivity import sensitivity
    from edgevit.report.text.sensitivity_table import next_step, sensitivity_notes, sensitivity_table

    bar = progress_bar(console, "measuring", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with bar:
        bar_task = bar.add_task("", total=None)
        document = sensitivity(
            model,
            data,
            task=task,
            recipe=recipe,
            resolution=resolution,
            resize=resize,
            limit=limit,
            png=png,
            overwrite=overwrite,
            on_row=lambda done, total: bar.update(bar_task, completed=done, total=total),
        )
    console.print(sensitivity_table(document))
    for line in (*sensitivity_notes(document), next_step(document, recipe, document["island"])):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(document, json_target)
