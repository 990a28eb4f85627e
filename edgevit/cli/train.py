"""`edgevit train`: a model from a folder of pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from edgevit.cli.console import console_for, emit_json, json_option, progress_bar, quiet_option
from edgevit.cli.grouped_command import GroupedCommand
from edgevit.variants import VARIANTS

LOG_EVERY_S = 30.0
"""Where nobody watches a bar, a line so often."""

# Options that are fields of TrainSpec: name, type, help. Left out, the preset decides.
SPEC_OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("epochs", click.IntRange(min=1), "How often every picture is shown."),
    ("batch", click.IntRange(min=1), "Pictures in a batch."),
    ("learning-rate", float, "Its peak, for the head."),
    ("layer-decay", float, "Each layer's share of the rate of the one above it."),
    ("backbone-rate", float, "The backbone's share of the learning rate."),
    ("weight-decay", click.FloatRange(min=0), "Decoupled, on matrices only."),
    ("label-smoothing", float, "0 to 1."),
    ("ema", float, "Momentum of the weights' average; the average is what is kept. 0: off."),
    ("single-share", float, "Share of the steps at one resolution first."),
    ("self-distillation", float, "Weight of learning from its own answer at the top resolution. 0: off."),
    ("augmentation", str, "none, shift (gauges, text) or photo (crops, mirrored)."),
    ("mixup", float, "Alpha; 0: off."),
    ("cutmix", float, "Factor, 0 to 1; 0: off."),
    ("erasing", float, "Chance that a box of a picture becomes noise."),
    ("mosaic", float, "detect: chance that a picture is put together from four; 0: off."),
    ("text", str, "image-text: frozen (with --from) or trained [default: trained]."),
    ("distillation", str, "soft or hard, with --teacher."),
    ("distillation-weight", float, "The teacher's share of the loss."),
    ("temperature", float, "Of soft distillation."),
    ("precision", str, "float32, mixed_bfloat16 or mixed_float16."),
    ("seed", click.IntRange(min=0), "Decides every draw: split, order, crops, weights."),
)
SPEC_FLAGS: tuple[tuple[str, str], ...] = (
    ("trivial-augment", "One random operation a picture, of random strength."),
    ("class-weights", "Weigh rare classes up."),
    ("freeze", "Train the head only: a linear probe."),
)

PRESET_HELP = (
    "One of fine-tune, scratch, small-data, dense, dense-scratch, qat [default: qat with --qat, fine-tune with --from, "
    "else scratch; for masks, boxes and points dense with --from, else dense-scratch]."
)


def spec_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that are fields of `TrainSpec`; None where the user did not give one."""
    for name, flag_help in reversed(SPEC_FLAGS):
        function = click.option(f"--{name}/--no-{name}", default=None, help=flag_help)(function)
    for name, kind, option_help in reversed(SPEC_OPTIONS):
        function = click.option(f"--{name}", type=kind, help=option_help)(function)
    return function


@click.command(
    "train",
    cls=GroupedCommand,
    everyday=("--output", "--from", "--resolutions", "--epochs", "--batch", "--learning-rate", "--resume"),
    examples=(
        "train photos/ -o plants.keras --from deit.keras",
        "train photos/ -o plants.keras --preset small-data --resolutions 128,160,192,224",
        "train photos/ -o plants.keras --resume",
        "train pets/ -o pets.keras --task segment --from deit.keras --resolutions 224,320",
        "train pairs.csv -o clip.keras --task image-text --from siglip.keras --text frozen",
    ),
)
@click.argument("data")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--from", "from_", type=click.Path(path_type=Path), help="Start from this .keras model.")
@click.option(
    "--task",
    help="classify, embed, image-text, segment, detect or keypoints [default: what the folder is labelled for].",
)
@click.option("--ignored", metavar="VALUE", help="segment: the value or the class of masks that does not count.")
@click.option(
    "--vector-width", type=click.IntRange(min=0), help="embed, image-text: of the vector [default: as tokens]."
)
@click.option("--pooling", help="embed: what the vector is made of: class, mean or class-mean [default: class].")
@click.option("--variant", help=f"Without --from: {', '.join(VARIANTS)}; /8, /14 or /32 for other patches.")
@click.option("--resolutions", help="The ladder, such as 128,160,192,224: batches are drawn at all of them.")
@click.option("--preset", help=PRESET_HELP)
@spec_options
@click.option("--stochastic-depth", type=click.FloatRange(0, 0.9), help="Chance that the last block is skipped.")
@click.option("--teacher", help="Distil from this .keras model, or from a CNN of keras.applications by name.")
@click.option("--teacher-weights", default="imagenet", show_default=True, help="For a name: imagenet, none or a file.")
@click.option("--distillation-token", is_flag=True, help="DeiT's: a second token and head that listen to the teacher.")
@click.option(
    "--qat",
    metavar="RECIPE",
    help="Quantization-aware: train through the rounding of int8, int8-static, int8-full or int4.",
)
@click.option("--resize", help="Preprocessing of validation: crop:0.875, squash or letterbox.")
@click.option("--val-share", type=float, help="For a folder without val/ of its own [default: 0.1].")
@click.option("--pictures", type=click.IntRange(min=20), help="For synthetic [default: 6000 dials, 1200 panels].")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the unfinished run, as it was begun; with more --epochs, with a finished one.",
)
@click.option("--restart", is_flag=True, help="Drop the unfinished run (a finished one: --overwrite).")
@click.option("--tensorboard", is_flag=True, help="Log for TensorBoard too, to the run's folder.")
@click.option("--strict", is_flag=True, help="Stop at a picture that cannot be read, instead of skipping it.")
@json_option
@quiet_option
def command(
    data: str,
    output: Path,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a ViT on DATA so that one set of weights is good at every resolution of the ladder.

    DATA is a folder of class folders (or one with train/ and val/ in it, or with labels.csv), or the word `synthetic`:
    drawn dial gauges, to try things out. With masks, boxes or points it is a folder as docs/dense_data.md has it, or
    again `synthetic`: drawn control panels. For image-text it is a CSV file that begins with the line file,text.

    A preset decides all that is not given; what each sets is in docs/training.md. History, curves, confusion matrix
    and the state to resume from go to a folder beside the model: plants.run for plants.keras.
    """
    from edgevit.api.train import train
    from edgevit.report.text.training_tables import epoch_line, imbalance_note, summary, time_left

    console = console_for(json_target, quiet, overwrite)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with progress_bar(console, *columns) as bar:
        task = bar.add_task("reading pictures", total=None)

        class Screen:
            """Tells the user how the run goes."""

            said_at = time.monotonic()

            def note(self, line: str) -> None:
                self.said_at = time.monotonic()
                console.print(line, markup=False, soft_wrap=True)

            def data(self, counts: Any, labels: tuple[str, ...]) -> None:
                if line := imbalance_note(counts.tolist(), labels):
                    self.note(line)

            def preparing(self, resolution: Any, number: int, of: int) -> None:
                text = f"preparing {resolution} px ({number} of {of})"
                bar.update(task, description=text)
                self.now_and_then(text)

            def step(self, done: int, total: int, loss: float, images_per_s: float) -> None:
                text = f"training, loss {loss:.3f}, {images_per_s:.1f} images/s"
                bar.update(task, description=text, completed=done, total=total)
                self.now_and_then(f"step {done} of {total}, loss {loss:.3f}, {images_per_s:.1f} images/s")

            def now_and_then(self, line: str) -> None:
                """In a log, which shows no bar."""
                if bar.disable and time.monotonic() - self.said_at >= LOG_EVERY_S:
                    self.note(line)

            def epoch(self, epochs: Any, total: int) -> None:
                left = time_left(epochs, total)
                self.note(epoch_line(epochs[-1], total) + (f"  {left}" if left else ""))

        document = train(data, output, overwrite=overwrite, listener=Screen(), **options)
    console.print(summary(document), soft_wrap=True)
    emit_json(document, json_target)
