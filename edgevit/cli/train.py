"""`edgevit train`: a model from a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

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
from edgevit.config import VARIANTS


@click.command("train", cls=JsonCommand)
@click.argument("data")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--variant", help=f"{', '.join(VARIANTS)}; with /8 or /32 for other patches [default: vit-tiny].")
@click.option("--from", "start", type=click.Path(path_type=Path), help="Start from this .keras model instead.")
@click.option("--resolutions", help="The ladder, such as 128,160,192,224: batches are drawn at all of them.")
@click.option("--epochs", type=click.IntRange(min=1), default=30, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True, help="Pictures in a batch.")
@click.option("--learning-rate", type=float, help="Its peak [default: 1e-3, or 1e-4 with --from].")
@click.option("--weight-decay", type=click.FloatRange(min=0), default=0.05, show_default=True)
@click.option("--label-smoothing", type=click.FloatRange(0, 0.9), default=0.1, show_default=True)
@click.option("--stochastic-depth", type=click.FloatRange(0, 0.9), default=0.0, show_default=True)
@click.option("--single-share", type=float, help="Steps at one resolution first [default: 0.5, or 0 with --from].")
@click.option("--augmentation", help="none, shift or photo [default: photo, shift for synthetic].")
@click.option("--resize", help="Preprocessing of validation: crop:0.875 or squash [default: crop:0.875].")
@click.option("--pictures", type=click.IntRange(min=20), default=6000, show_default=True, help="For synthetic.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--strict", is_flag=True, help="Stop at a picture that cannot be read, instead of skipping it.")
@json_option
@quiet_option
def command(
    data: str,
    output: Path,
    variant: str | None,
    start: Path | None,
    resolutions: str | None,
    epochs: int,
    batch: int,
    learning_rate: float | None,
    weight_decay: float,
    label_smoothing: float,
    stochastic_depth: float,
    single_share: float | None,
    augmentation: str | None,
    resize: str | None,
    pictures: int,
    seed: int,
    strict: bool,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Train a ViT on DATA so that one set of weights is good at every resolution of the ladder.

    DATA is a folder of class folders (or one with train/ and val/ in it, or with labels.csv), or the word `synthetic`:
    drawn dial gauges, to try things out.
    """
    console = console_for(json_target, quiet)
    ladder = () if resolutions is None else parse_resolutions(resolutions)
    load_keras()
    from edgevit.report.training import epoch_line, training_table
    from edgevit.training.run import Request, run

    request = Request(
        data=data,
        output=output,
        variant=variant,
        start=start,
        ladder=ladder,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        stochastic_depth=stochastic_depth,
        augmentation=augmentation,
        resize=resize,
        pictures=pictures,
        seed=seed,
        single_share=single_share,
        strict=strict,
    )
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with progress_bar(console, *columns) as bar:
        task = bar.add_task("reading pictures", total=None)
        document = run(
            request,
            on_note=lambda line: console.print(line, markup=False, soft_wrap=True),
            on_step=lambda done, total, loss: bar.update(
                task, description=f"training, loss {loss:.3f}", completed=done, total=total
            ),
            on_epoch=lambda epoch: console.print(epoch_line(epoch, epochs), markup=False, soft_wrap=True),
        )
    console.print(training_table(document))
    console.print(f"next: edgevit convert {output} -o {output.with_suffix('.tflite')}", markup=False, soft_wrap=True)
    emit_json(document, json_target)
