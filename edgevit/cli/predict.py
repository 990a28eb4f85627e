"""`edgevit predict`: what another variant would take on a device that was profiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgevit.cli.console import JsonCommand, console_for, emit_json, json_option, quiet_option

_POSITIVE = click.IntRange(min=1)


@click.command("predict", cls=JsonCommand)
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
    quiet: bool,
) -> None:
    """Predict latencies of a shape that was not run, from one profile of a device at five or more resolutions.

    The prediction is for the profile's device, recipe and threads. Profiles of several models there make it surer.
    Each latency comes with the range that it is believed in; docs/comparing.md says how often that held.
    """
    from edgevit.latency.comparison import read_profiles
    from edgevit.latency.cost import divides
    from edgevit.latency.prediction import LatencyPredictor, of_threads, of_vits
    from edgevit.latency.shape_options import reshaped
    from edgevit.report.text import sentences
    from edgevit.report.text.prediction_table import prediction_view
    from edgevit_runtime.resolution import as_resolution, parse_resolutions

    console = console_for(json_target, quiet)
    kept, left_out = of_vits(read_profiles(paths))
    kept, other_threads = of_threads(kept, threads)
    predictor = LatencyPredictor(kept)
    config = reshaped(predictor.shapes[0], variant, width=width, depth=depth, heads=heads, patch=patch)
    if resolutions is not None:
        wanted = parse_resolutions(resolutions)
    else:
        known = sorted({point.resolution for profile in predictor.profiles for point in profile.points})
        wanted = tuple(each for each in known if divides(config.patch, each)) or (
            as_resolution(config.base_resolution),
        )
    estimates = [predictor.predict(config, each) for each in wanted]
    console.print(prediction_view(predictor, config, estimates))
    for reason in left_out:
        console.print(f"Left out: {reason}.", markup=False, soft_wrap=True)
    first = predictor.profiles[0]
    if other_threads and threads is None:
        also = ", ".join(map(str, other_threads))
        console.print(
            f"On {sentences.threads(first)}, as measured first; there are profiles on {also}, too: --threads N."
        )
    document: dict[str, Any] = {
        "schema": "edgevit.prediction/1",
        "profiles": [profile.model for profile in predictor.profiles],
        "left_out": list(left_out),
        "device": dict(first.device),
        "recipe": first.recipe,
        "threads": first.threads,
        "variant": config.variant,
        "width": config.width,
        "depth": config.depth,
        "heads": config.heads,
        "patch": config.patch,
        "fit_error": predictor.fit_error,
        "prior": predictor.prior.source,
        **predictor.trust.to_dict(),
        "points": [estimate.to_dict() for estimate in estimates],
    }
    emit_json(document, json_target)
