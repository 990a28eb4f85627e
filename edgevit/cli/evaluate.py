"""`edgevit evaluate`: accuracy at each resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from edgevit.cli.console import (
    console_for,
    emit_json,
    json_option,
    progress_bar,
    quiet_option,
)
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.cli.task_options import options_of_tasks
from edgevit.tasks import TASKS, judging_options


@click.command(
    "evaluate",
    cls=GroupedCommand,
    everyday=("--against", "--resolutions", "--limit", "--json"),
    examples=(
        "evaluate deit.keras val/ --against deit.tflite --json evaluation.json",
        "evaluate plants.tflite photos/ --limit 200",
    ),
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A second model, shown the same pixels; once more for a third.",
)
@click.option(
    "--task",
    help=f"What to judge: {', '.join(TASKS)} [default: what MODEL has a head for; of several what DATA is labelled "
    "for; without a head features].",
)
@options_of_tasks(judging_options())
@click.option("--resolutions", help="Some resolutions, such as 128,224 [default: all that the model has].")
@click.option("--resize", help="Preprocessing: crop:0.875, squash or letterbox [default: the model's own].")
@click.option("--pixels", help="What a .keras model that is not edgevit's own wants: see `edgevit convert --help`.")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="Class names, one a line, for a model that has none of its own."
)
@click.option("--head", help="What its scores are: softmax, sigmoid or regression.")
@click.option("--import", "modules", multiple=True, metavar="MODULE", help="A Python module with layers of its own.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="For .tflite.")
@click.option("--limit", type=click.IntRange(min=1), help="Use only that many pictures, spread over the set.")
@click.option("--strict", is_flag=True, help="Stop at a picture that cannot be read, instead of skipping it.")
@click.option(
    "--mistakes",
    metavar="N",
    type=click.IntRange(min=1),
    help="Show N worst confusions or pictures, and N on which two models differ; --json keeps small copies of them.",
)
@json_option
@quiet_option
def command(
    model: Path,
    data: Path,
    against: tuple[Path, ...],
    task: str | None,
    resolutions: str | None,
    resize: str | None,
    pixels: str | None,
    labels: Path | None,
    head: str | None,
    modules: tuple[str, ...],
    threads: int,
    limit: int | None,
    strict: bool,
    mistakes: int | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
    **given_to_task: Any,
) -> None:
    """Measure how good MODEL (.keras or .tflite) is at a task on DATA, at each resolution.

    classify: top-1 and top-5. features: top-1 by k nearest neighbours. segment: mIoU. detect: AP. keypoints: PCK.

    Of each model --against it, what that loses against MODEL, with the paired 95 % interval.

    DATA is a folder of class folders, or a folder with labels.csv (file,class_index or file,label); or one with masks,
    boxes or points; or the folder of a training run, MODEL.run: the pictures that it held out. Of a folder with train/
    and val/ in it, val/ is taken. Classes are matched by name, of DATA and of models.
    """
    console = console_for(json_target, quiet, overwrite)
    from edgevit.api.evaluate import evaluate
    from edgevit.report.text.evaluation_table import (
        by_class_table,
        evaluation_notes,
        evaluation_view,
        mistake_lines,
    )

    pictures = TextColumn("{task.completed}/{task.total} pictures")
    bar = progress_bar(console, "evaluating", BarColumn(), pictures, TimeRemainingColumn())
    with bar:
        bar_task = bar.add_task("", total=None)
        evaluation = evaluate(
            model,
            data,
            task=task,
            against=against,
            resolutions=resolutions,
            resize=resize,
            pixels=pixels,
            labels=labels,
            head=head,
            import_=modules,
            threads=threads,
            limit=limit,
            strict=strict,
            mistakes=mistakes or 0,
            on_picture=lambda done, total: bar.update(bar_task, completed=done, total=total),
            **given_to_task,
        )
    console.print(evaluation_view(evaluation))
    if by_class := by_class_table(evaluation):
        console.print(by_class)
    for line in (*mistake_lines(evaluation), *evaluation_notes(evaluation)):
        console.print(line, markup=False)
    emit_json(evaluation, json_target)
