"""`edgevit convert`: a model becomes an artefact."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from edgevit.cli.console import (
    JsonCommand,
    console_for,
    emit_json,
    json_option,
    load_keras,
    parse_resolutions,
    progress_bar,
    quiet_option,
)


@click.command("convert", cls=JsonCommand)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--recipe",
    default="int8",
    show_default=True,
    help="float32, float16, int8, int8-attention, int8-static or int8-full.",
)
@click.option("--resolutions", help="The ladder, such as 96,128,160,224 [default: the one it was trained for].")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line [default: the model's own].")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Pictures for int8-attention, int8-static and int8-full, unless the model was fine-tuned for the recipe; int8 "
    "gains by some, too.",
)
@click.option(
    "--resize", help="Preprocessing: crop:0.875 or squash, and ,bilinear behind it [default: the model's own]."
)
@click.option(
    "--pixels",
    help="For a model that is not edgevit's own: what it wants, where it does not say so itself. 0..255, -1..1, 0..1, "
    "imagenet, caffe or MEAN/STD.",
)
@click.option(
    "--sign", type=click.Path(path_type=Path), help="Ed25519 private key (PEM): devices with its public half trust it."
)
@click.option("--logits", is_flag=True, help="Put the logits out too, beside the scores.")
@json_option
@quiet_option
def command(
    model: Path,
    output: Path,
    recipe: str,
    resolutions: str | None,
    labels: Path | None,
    calibration: Path | None,
    resize: str | None,
    pixels: str | None,
    sign: Path | None,
    logits: bool,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Compile MODEL.keras to one .tflite artefact that holds every resolution, weights stored once.

    MODEL is edgevit's own ViT, or any Keras classifier of square RGB pictures: keras.applications, KerasHub, yours.
    The artefact carries its labels, preprocessing, costs and a self-test. It is tested before it is put in place.
    """
    console = console_for(json_target, quiet)
    from edgevit.converters.recipes import get_recipe
    from edgevit.data.labels import read_labels
    from edgevit.pixels import parse_pixels

    get_recipe(recipe)
    if pixels is not None:
        parse_pixels(pixels)
    ladder = () if resolutions is None else parse_resolutions(resolutions)
    names = read_labels(labels) if labels else None
    bar = progress_bar(
        console, TextColumn("converting {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
    with bar:
        task = bar.add_task("…", total=None)
        load_keras()
        from edgevit.converters import convert
        from edgevit.model import load_any

        convert(
            load_any(model, pixels=pixels),
            output,
            recipe=recipe,
            resolutions=ladder,
            labels=names,
            resize=resize,
            calibration=calibration,
            with_logits=logits,
            source=model,
            sign=sign,
            on_step=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )

    from edgevit.converters import inspect
    from edgevit.report.inspection import inspection_table

    inspection = inspect(output)
    console.print(inspection_table(inspection))
    console.print(f"next: edgevit profile {output}", markup=False, soft_wrap=True)
    emit_json(inspection, json_target)
