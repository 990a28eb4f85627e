"""`edgevit convert`: a model becomes an artefact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from edgevit.cli.console import console_for, emit_json, json_option, progress_bar, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.cli.task_options import options_of_tasks
from edgevit.latency.device_kinds import DEVICE_KINDS
from edgevit.tasks import TASKS, task_options
from edgevit_runtime import read_manifest
from edgevit_runtime.tasks import try_out_of


@click.command(
    "convert",
    cls=GroupedCommand,
    everyday=("--output", "--resolutions", "--for", "--recipe", "--calibration", "--validation", "--labels"),
    examples=(
        "convert deit.keras -o deit.tflite --for pi5 --resolutions 96,128,160,192,224",
        "convert deit.keras -o deit.tflite --recipe int8-full --calibration photos/",
        "convert deit.keras -o deit.tflite --max-drop 0.5 --validation val/",
        "convert deit.keras pets.keras -o both.tflite",
        "convert clip.keras -o things.tflite --labels things.txt --template 'a photo of a {}'",
    ),
)
@click.argument("model", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--for",
    "for_",
    metavar="DEVICE",
    help=f"Pick the recipe for a kind of device, {', '.join(DEVICE_KINDS)}: of those that keep accuracy the quickest "
    "there, by counted cycles or by what was measured; it says why.",
)
@click.option(
    "--recipe",
    help="A name that `edgevit recipes` lists, or the .toml file of your own [default: int8; with --max-drop the "
    "fastest one].",
)
@click.option("--resolutions", help="The ladder, such as 96,128,160,224 [default: the one it was trained for].")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line [default: the model's own].")
@click.option(
    "--template",
    multiple=True,
    metavar="TEXT",
    help="Of an image-text model: a sentence with {} where the label goes; once more for a second, and they are "
    "averaged [default: the model's own, or 'a photo of a {}'].",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Pictures, or a training run's split.csv (those that trained), for int8-attention, int8-static and int8-full, "
    "unless the model was fine-tuned for the recipe; int8 gains by some, too, and int4 by many.",
)
@click.option(
    "--resize",
    help="Preprocessing: crop:0.875, squash or letterbox, and ,bilinear behind it [default: the model's own].",
)
@click.option(
    "--pixels",
    help="For a model that is not edgevit's own: what it wants, where it does not say so itself. 0..255, -1..1, 0..1, "
    "imagenet, caffe or MEAN/STD.",
)
@click.option(
    "--head",
    help="For a model that is not edgevit's own: what its scores are, where it does not say so itself. softmax, "
    "sigmoid (each label by itself) or regression (plain values).",
)
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="A Python module (or a file, layers.py) that has layers of the model's own; once more for a second.",
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
    help="Take out of int8 what it takes to lose at most that much top-1 (mIoU, AP, PCK) on --validation: 0.5 is "
    "half a percent.",
)
@click.option("--islands", help="What --max-drop makes of it: float32, or int16 [default: int16 for int8-full].")
@click.option(
    "--save-recipe",
    type=click.Path(path_type=Path),
    help="Write what --max-drop chose as a .toml recipe, and what is good enough so far while it searches.",
)
@click.option(
    "--task",
    help=f"What it is to answer, one or several of {','.join(TASKS)} [default: all it has heads for; without one "
    "features; of an image-text model classify].",
)
@click.option(
    "--joint/--no-joint", default=True, help="Of several tasks, put in what answers all from one pass [default: yes]."
)
@options_of_tasks(task_options())
@json_option
@quiet_option
def command(
    model: tuple[Path, ...],
    output: Path,
    for_: str | None,
    recipe: str | None,
    resolutions: str | None,
    labels: Path | None,
    template: tuple[str, ...],
    calibration: Path | None,
    resize: str | None,
    pixels: str | None,
    head: str | None,
    modules: tuple[str, ...],
    sign: Path | None,
    validation: Path | None,
    max_drop: float | None,
    islands: str | None,
    save_recipe: Path | None,
    task: str | None,
    joint: bool,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
    **given_to_tasks: Any,
) -> None:
    """Compile MODEL.keras to one .tflite artefact that holds every resolution, weights stored once.

    MODEL is edgevit's own ViT, or any Keras classifier of RGB pictures: keras.applications, KerasHub, yours; or an
    image-text model (CLIP, SigLIP), whose classes are the texts that --labels names.
    Several MODELs that were trained on one frozen backbone (train --freeze) give one file with all their heads, which
    `edgevit-run all` asks in one pass.
    The artefact carries its labels, preprocessing, costs and a self-test. It is tested before it is put in place.

    --for pi5 picks the recipe by what each would take there, at the ladder's largest resolution; recipes that need
    pictures only with --calibration.
    --max-drop is judged at the default resolution; the others of the ladder are measured too.
    """
    from edgevit.api.convert import convert
    from edgevit.report.text.command_lines import command_line
    from edgevit.report.text.inspection_table import inspection_table
    from edgevit.report.text.mixed_precision_table import result_lines, selection_table, trial_line
    from edgevit.report.text.recipe_choice_table import choice_lines, choice_table

    console = console_for(json_target, quiet, overwrite)
    columns = TextColumn("converting {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    notes: list[str] = []
    with progress_bar(console, *columns) as bar:
        bar_task = bar.add_task("…", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(bar_task, description=what, completed=done, total=total)

        def tell(name: str, figures: Mapping[str, Any], kept: bool) -> None:
            console.print(trial_line(name, figures, kept=kept), markup=False, soft_wrap=True)

        inspection = convert(
            model,
            output,
            task=task,
            resolutions=resolutions,
            recipe=recipe,
            for_=for_,
            labels=labels,
            template=template,
            calibration=calibration,
            resize=resize,
            pixels=pixels,
            head=head,
            import_=modules,
            joint=joint,
            sign=sign,
            validation=validation,
            max_drop=max_drop,
            islands=islands,
            save_recipe=save_recipe,
            overwrite=overwrite,
            on_step=show,
            on_trial=tell,
            on_note=notes.append,
            **given_to_tasks,
        )
    if "choice" in inspection:
        console.print(choice_table(inspection["choice"]))
        for line in choice_lines(inspection["choice"]):
            console.print(line, markup=False, soft_wrap=True)
    if "selection" in inspection:
        console.print(selection_table(inspection["selection"]))
    console.print(inspection_table(inspection))
    try_out = try_out_of(read_manifest(output).default_task)
    following = (
        f"try it: {command_line(*try_out.words_by_hand(str(output), 'picture.jpg', '.'), program='edgevit-run')}",
        f"next: {command_line('profile', output)}",
    )
    for line in (*result_lines(inspection), *notes, *following):
        console.print(line, markup=False, soft_wrap=True)
    emit_json(inspection, json_target)
