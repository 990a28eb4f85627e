"""`edgevit profile`: latency at each resolution, and the curve through it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from edgevit.cli.console import (
    JsonCommand,
    console_for,
    emit_json,
    json_option,
    quiet_option,
)
from edgevit_runtime.resolution import Resolution

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command("profile", cls=JsonCommand)
@click.argument("artefacts", metavar="ARTEFACT ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--resolutions", help="Which of the artefact's resolutions, such as 96,224,640x384. Default: all.")
@click.option("--threads", default="1", show_default=True, help="Threads to run on; 1,2,4 measures each, in turns.")
@click.option("--cpus", help="Run on these processors only, such as 4-7: the fast cores of a phone, say.")
@click.option("--seconds", type=_SECONDS, help="The most to spend on each resolution. Default: 3.")
@click.option("--duration", type=_SECONDS, help="The most for timing all of them, pauses for cooling included.")
@click.option("--cool-down", type=click.FloatRange(min=0), help="The most to wait for a hot device. Default: 60.")
@click.option("--sustained", type=_SECONDS, help="Then run one for so long, beyond --duration, to see the heat.")
@click.option("--sustained-at", metavar="RESOLUTION", help="Which. Default: the artefact's default.")
@click.option("--ops", is_flag=True, help="Print where the time goes, by kind of operator; beyond --duration.")
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=0, min_open=True),
    help="Recommend the largest resolution whose median fits; exit with 1 where none does.",
)
@click.option(
    "--predict",
    help="Resolutions that were not run, to predict by the curve: 272,640x384; exit with 1 where there is none.",
)
@click.option("--device", default="local", show_default=True, help="Where: local, ssh://HOST, adb://SERIAL.")
@click.option(
    "--benchmark-model",
    type=click.Path(path_type=Path),
    help="Let a phone run this, TFLite's own program, instead of edgevit's loop.",
)
@json_option
@quiet_option
def command(
    artefacts: tuple[Path, ...],
    resolutions: str | None,
    threads: str,
    cpus: str | None,
    seconds: float | None,
    duration: float | None,
    cool_down: float | None,
    sustained: float | None,
    sustained_at: str | None,
    ops: bool,
    budget_ms: float | None,
    predict: str | None,
    device: str,
    benchmark_model: Path | None,
    json_target: str | None,
    quiet: bool,
) -> None:
    """Measure latency at each resolution of ARTEFACT and fit t(N) = a + bN + cN².

    Runs the runtime in a process of its own. The curve needs at least five resolutions. Several artefacts are measured
    in turns and put side by side; their --json is what `edgevit compare --json` prints.
    """
    from edgevit.devices.profile_request import ProfileRequest, parse_threads
    from edgevit.latency.measurement import measure
    from edgevit.latency.profile import unmet
    from edgevit.report.text.profile_tables import profile_view
    from edgevit_runtime.measure.processors import parse_cpus
    from edgevit_runtime.resolution import parse_resolutions

    request = ProfileRequest(
        resolutions=() if resolutions is None else parse_resolutions(resolutions),
        threads=parse_threads(threads),
        cpus=() if cpus is None else parse_cpus(cpus),
        seconds=seconds,
        duration_s=duration,
        cool_down_s=cool_down,
        sustained_s=sustained,
        sustained_at=sustained_at,
        ops=ops,
    )
    unseen = () if predict is None else parse_resolutions(predict)
    console = console_for(json_target, quiet)
    _check_patches(artefacts, unseen)
    if len(artefacts) > 1:
        from edgevit.cli.profile_several import profile_several

        profile_several(artefacts, request, device, benchmark_model, unseen, budget_ms, console, json_target)
        return
    (artefact,) = artefacts
    with console.status(f"measuring {artefact.name} ({device})"):
        profile = measure(artefact, request, device=device, benchmark_model=benchmark_model)
    profile = profile.predicting(unseen)
    if budget_ms is not None:
        profile = profile.within(budget_ms)
    console.print(profile_view(profile))
    emit_json(profile.to_dict(), json_target)
    for error in unmet([profile]):
        raise error


def _check_patches(artefacts: Sequence[Path], unseen: Sequence[Resolution]) -> None:
    """Raises `ResolutionError` for a resolution to predict that a model cannot have: before minutes of measuring."""
    from edgevit.latency.cost import patches_of
    from edgevit_runtime import read_manifest

    for artefact in artefacts:
        if unseen and artefact.is_file():  # what is not there is the device's to report, as without --predict
            patch = read_manifest(artefact).patch
            for resolution in unseen:
                patches_of(resolution, patch)
