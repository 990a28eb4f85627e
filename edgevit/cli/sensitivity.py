"""`edgevit sensitivity`: where a recipe loses accuracy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, load_keras, progress_bar, quiet_option


@click.command("sensitivity", cls=JsonCommand)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), help="A folder of pictures; no labels needed.")
@click.option(
    "--recipe", default="int8-full", show_default=True, help="int8, int8-static, int8-full, int4, or a .toml file."
)
@click.option("--resolution", type=click.IntRange(min=1), help="[default: the one that the model was trained at].")
@click.option("--resize", help="Preprocessing: crop:0.875 or squash [default: the model's own].")
@click.option("--limit", type=click.IntRange(min=1), default=32, show_default=True, help="How many pictures to use.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the table as a picture, too.")
@json_option
@quiet_option
def command(
    model: Path,
    data: Path,
    recipe: str,
    resolution: int | None,
    resize: str | None,
    limit: int,
    png: Path | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Measure what quantizing each class of ops of each block of MODEL.keras alone costs.

    Computed by simulation, on the pictures that calibrate, too. Shares are of the KL divergence from the float model.
    It runs all pictures once for each class of each block: minutes for 32, a quarter of that for 8.
    """
    console = console_for(json_target, quiet)
    from converters.quantize.recipe_files import find_recipe
    from edgevit.files import check_writable, write_bytes
    from edgevit.report.charts.canvas import png as draw
    from edgevit.report.charts.sensitivity_chart import sensitivity_figure
    from edgevit.report.text.sensitivity_table import next_step, sensitivity_notes, sensitivity_table

    chosen = find_recipe(recipe)
    if png is not None:
        check_writable(png)
    bar = progress_bar(console, "measuring", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with bar:
        task = bar.add_task("", total=None)
        load_keras()
        from converters.search.sensitivity import island, sensitivity
        from edgevit.model import load

        document = sensitivity(
            load(model),
            data,
            recipe=recipe,
            resolution=resolution,
            resize=resize,
            count=limit,
            on_row=lambda done, total: bar.update(task, completed=done, total=total),
        )
    document = {"model": str(model), **document}
    console.print(sensitivity_table(document))
    for line in (*sensitivity_notes(document), next_step(document, recipe, asdict(island(document, chosen)))):
        console.print(line, markup=False, soft_wrap=True)
    if png is not None:
        write_bytes(png, draw(sensitivity_figure(document)))
    emit_json(document, json_target)
