"""`edgevit profile`: latency at each resolution, and the curve through it."""

from __future__ import annotations

from pathlib import Path

import click

from edgevit.cli.console import console_for, emit_json, json_option, quiet_option
from edgevit.cli.grouped_command import GroupedCommand

_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(
    "profile",
    cls=GroupedCommand,
    everyday=("--device", "--estimate", "--threads", "--resolutions", "--budget-ms", "--json"),
    examples=(
        "profile deit.tflite --threads 4 --budget-ms 30 --json profile.json",
        "profile deit.tflite --device ssh://pi --threads 1,2,4 --json pi.json",
        "profile deit.tflite --estimate cortex-a76 --json pi5.json",
        "profile int8.tflite float32.tflite --json both.json",
    ),
)
@click.argument("artefacts", metavar="ARTEFACT ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--task", help="Whose signatures to measure [default: classify, or the first that there is].")
@click.option("--resolutions", help="Which of the artefact's resolutions, such as 96,224,640x384. Default: all.")
@click.option("--threads", default="1", show_default=True, help="Threads to run on; 1,2,4 measures each, in turns.")
@click.option(
    "--accelerator",
    default="cpu",
    show_default=True,
    type=click.Choice(["cpu", "gpu", "auto"]),
    help="What to measure; auto: a curve of each. A GPU that fails the artefact's self-test is left out.",
)
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
    help="Recommend the largest resolution within it, by p95; exit with 1 where not even a median is.",
)
@click.option(
    "--predict",
    help="Resolutions that were not run, to predict by the curve: 272,640x384; exit with 1 where there is none.",
)
@click.option("--device", default="local", show_default=True, help="Where: local, ssh://HOST, adb://SERIAL.")
@click.option(
    "--estimate",
    metavar="PROCESSOR",
    help="Run nothing: estimate for a cortex-a76 (Raspberry Pi 5) or a cortex-a72 (Pi 4) that is not at hand.",
)
@click.option(
    "--benchmark-model",
    type=click.Path(path_type=Path),
    help="Let a phone run this, TFLite's own program, instead of edgevit's loop.",
)
@json_option
@quiet_option
def command(
    artefacts: tuple[Path, ...],
    task: str | None,
    resolutions: str | None,
    threads: str,
    accelerator: str,
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
    estimate: str | None,
    benchmark_model: Path | None,
    json_target: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure latency at each resolution of ARTEFACT and fit t(N) = a + bN + cN².

    Runs the runtime in a process of its own. The curve needs at least five resolutions. Several artefacts are measured
    in turns and put side by side; their --json is what `edgevit compare --json` prints.
    """
    from edgevit.api.profile import profile
    from edgevit.latency.comparison import Comparison
    from edgevit.latency.profile import Profile, unmet
    from edgevit.report.text.profile_tables import profile_view
    from edgevit.report.text.several_profiles import several_view

    console = console_for(json_target, quiet, overwrite)
    profiles: list[Profile] = []
    with console.status("") as status:

        def show(name: str, done: int, total: int) -> None:
            turn = f", turn {done + 1} of {total}" if total > 1 else ""
            status.update(f"measuring {name} ({device}){turn}")

        document = profile(
            artefacts,
            task=task,
            resolutions=resolutions,
            threads=threads,
            accelerator=accelerator,
            cpus=cpus,
            seconds=seconds,
            duration=duration,
            cool_down=cool_down,
            sustained=sustained,
            sustained_at=sustained_at,
            ops=ops,
            budget_ms=budget_ms,
            predict=predict,
            device=device,
            estimate=estimate,
            benchmark_model=benchmark_model,
            on_step=show,
            on_result=profiles.extend,
        )
    for part in [profile_view(*profiles)] if len(artefacts) == 1 else several_view(Comparison(tuple(profiles))):
        console.print(part)
    emit_json(document, json_target)
    for error in unmet(profiles):
        raise error
