"""`edgevit predict`: what another variant would take on a device that was profiled."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand

_POSITIVE = click.IntRange(min=1)


@click.command(
    "predict",
    cls=GroupedCommand,
    examples=("predict pi.json --variant vit-small --resolutions 160,224",),
)
@click.argument("paths", metavar="PROFILE.json ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--variant", help="A named variant, with its patch size or without: vit-small, vit-tiny/8.")
@click.option("--width", type=_POSITIVE, help="Width instead of the variant's, or else the profiled model's.")
@click.option("--depth", type=_POSITIVE, help="Encoder blocks, likewise.")
@click.option("--heads", type=_POSITIVE, help="Attention heads, likewise; with another width: heads of the same width.")
@click.option("--patch", type=_POSITIVE, help="Patch size, likewise.")
@click.option("--resolutions", help="Such as 96,224,640x384. Default: the profile's, as far as the patch divides them.")
@click.option("--threads", type=_POSITIVE, help="Of profiles on several numbers of threads. Default: the first.")
@json_option
@quiet_option
def command(
    paths: tuple[Path, ...],
    variant: str | None,
    width: int | None,
    depth: int | None,
    heads: int | None,
    patch: int | None,
    resolutions: str | None,
    threads: int | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Predict latencies of a shape that was not run, from PROFILE.json of a device at five or more resolutions.

    The prediction is for the profile's device, recipe and threads. Profiles of several models there make it surer.
    Each latency comes with the range that it is believed in; docs/comparing.md says how often that held.
    """
    from edgevit.api.predict import ShapeEstimates, predict
    from edgevit.report.text import sentences
    from edgevit.report.text.prediction_table import prediction_view

    console = console_for(json_target, quiet, overwrite)
    found: list[ShapeEstimates] = []
    document = predict(
        paths,
        variant=variant,
        width=width,
        depth=depth,
        heads=heads,
        patch=patch,
        resolutions=resolutions,
        threads=threads,
        on_result=found.append,
    )
    (made,) = found
    console.print(prediction_view(made.predictor, made.config, made.estimates))
    for reason in made.left_out:
        console.print(f"Left out: {reason}.", markup=False, soft_wrap=True)
    if made.other_threads and threads is None:
        on, also = sentences.threads(made.predictor.profiles[0]), ", ".join(map(str, made.other_threads))
        console.print(f"On {on}, as measured first; there are profiles on {also}, too: --threads N.")
    emit_json(document, json_target)
