"""`edgevit convert`: a model becomes an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from edgevit.cli.console import (
    JsonCommand,
    console_for,
    emit_json,
    json_option,
    load_keras,
    progress_bar,
    quiet_option,
)
from edgevit.errors import ConversionError
from edgevit.files import check_writable
from edgevit_runtime.resolution import parse_resolutions

if TYPE_CHECKING:
    from converters.quantize.recipes import Recipe
    from converters.search.mixed_precision import Trial


@click.command("convert", cls=JsonCommand)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--recipe",
    help="A name that `edgevit recipes` lists, or the .toml file of your own [default: int8; with --max-drop the "
    "fastest one].",
)
@click.option("--resolutions", help="The ladder, such as 96,128,160,224 [default: the one it was trained for].")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line [default: the model's own].")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Pictures for int8-attention, int8-static and int8-full, unless the model was fine-tuned for the recipe; int8 "
    "gains by some, too, and int4 by many.",
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
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    help="Labelled pictures, as for `edgevit evaluate`: measures the artefact beside the float model, and records it.",
)
@click.option(
    "--max-drop",
    type=click.FloatRange(min=0.0, max=100.0),
    metavar="POINTS",
    help="Take out of int8 what it takes to lose at most that much top-1 on --validation: 0.5 is half a percent.",
)
@click.option("--islands", help="What --max-drop makes of it: float32, or int16 [default: int16 for int8-full].")
@click.option(
    "--save-recipe",
    type=click.Path(path_type=Path),
    help="Write what --max-drop chose as a .toml recipe, and what is good enough so far while it searches.",
)
@click.option("--logits", is_flag=True, help="Put the logits out too, beside the scores.")
@json_option
@quiet_option
def command(
    model: Path,
    output: Path,
    recipe: str | None,
    resolutions: str | None,
    labels: Path | None,
    calibration: Path | None,
    resize: str | None,
    pixels: str | None,
    sign: Path | None,
    validation: Path | None,
    max_drop: float | None,
    islands: str | None,
    save_recipe: Path | None,
    logits: bool,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Compile MODEL.keras to one .tflite artefact that holds every resolution, weights stored once.

    MODEL is edgevit's own ViT, or any Keras classifier of RGB pictures: keras.applications, KerasHub, yours.
    The artefact carries its labels, preprocessing, costs and a self-test. It is tested before it is put in place.

    --max-drop is judged at the default resolution; the others of the ladder are measured too.
    """
    if max_drop is not None and validation is None:
        raise click.UsageError("--max-drop needs labelled pictures to judge by: --validation DIR")
    for name, value in (("--islands", islands), ("--save-recipe", save_recipe)):
        if value is not None and max_drop is None:
            raise click.UsageError(f"{name} says what becomes of --max-drop, which is not there")
    console = console_for(json_target, quiet)
    check_writable(output)  # once more than `convert` does, before Keras is loaded
    from converters.quantize.recipe_files import check_writable_recipe, find_recipe, write_recipe
    from edgevit.data.labels import read_labels
    from edgevit.latency.curve import LEAST_RESOLUTIONS
    from edgevit.pixels import parse_pixels
    from edgevit.report.text.command_lines import command_line
    from edgevit.report.text.mixed_precision_table import result_lines, selection_table, trial_line

    chosen = find_recipe(recipe or "int8")
    if pixels is not None:
        parse_pixels(pixels)
    if save_recipe is not None:
        check_writable_recipe(save_recipe)
    ladder = () if resolutions is None else parse_resolutions(resolutions)
    names = read_labels(labels) if labels else None
    bar = progress_bar(
        console, TextColumn("converting {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )

    def show(what: str, done: int, total: int) -> None:
        bar.update(task, description=what, completed=done, total=total)

    def tell(mix: Recipe, trial: Trial, kept: bool) -> None:
        """A line for each mix that was measured; what is good enough is saved: who ends the search keeps it."""
        if judged is not None:
            line = trial_line(mix.name, trial.to_dict(), judged.count, kept=kept)
            console.print(line, markup=False, soft_wrap=True)
        if kept and save_recipe is not None:
            write_recipe(mix, save_recipe)

    with bar:
        task = bar.add_task("…", total=None)
        load_keras()
        from converters import convert
        from edgevit.model import ViT, load_any

        loaded, judged, selection = load_any(model, pixels=pixels), None, None
        if validation is not None:
            from converters.conversion import JUDGES_OURS
            from converters.search.validation import Validation

            if not isinstance(loaded, ViT):
                raise ConversionError(JUDGES_OURS)

            judged = Validation(loaded, validation, labels=names, resize=resize, on_picture=show)
        if judged is not None and max_drop is not None and isinstance(loaded, ViT):
            from converters.artefact.file_writer import check_target
            from converters.search.mixed_precision import select

            check_target(output, sign)
            selection = select(
                loaded,
                judged,
                max_drop,
                recipe=None if recipe is None else chosen,
                resolutions=ladder,
                resize=resize,
                calibration=calibration,
                islands=islands,
                on_step=show,
                on_trial=tell,
            )
            chosen = selection.recipe
        convert(
            loaded,
            output,
            recipe=chosen,
            resolutions=ladder,
            labels=names,
            resize=resize,
            calibration=calibration,
            with_logits=logits,
            source=model,
            sign=sign,
            validation=judged,
            selection=selection,
            on_step=show,
        )

    from converters import inspect
    from edgevit.report.text.inspection_table import inspection_table

    inspection = inspect(output)
    if save_recipe is not None:
        write_recipe(chosen, save_recipe)
    if selection is not None:
        inspection["selection"] = selection.to_dict()
        console.print(selection_table(inspection["selection"]))
    console.print(inspection_table(inspection))
    learned = loaded.calibration if isinstance(loaded, ViT) else None
    if chosen.wants_calibration and calibration is None and not chosen.is_learned(learned):
        hint = f"{chosen.name} loses less when pictures say how to round: --calibration DIR"
        console.print(hint, markup=False, soft_wrap=True)
    for line in result_lines(inspection):
        console.print(line, markup=False, soft_wrap=True)
    if 1 < len(inspection["signatures"]) < LEAST_RESOLUTIONS:
        console.print(f"{LEAST_RESOLUTIONS} resolutions or more give a latency curve: --resolutions", markup=False)
    console.print(f"next: {command_line('profile', output)}", markup=False, soft_wrap=True)
    emit_json(inspection, json_target)
