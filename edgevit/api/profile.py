"""`edgevit.profile`: latency at each resolution, and the curve through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgevit.api.arguments import OneOrMore, Resolutions, as_ladder, as_paths, in_known_words
from edgevit.config import check_resolution
from edgevit.devices.profile_request import ProfileRequest, parse_threads
from edgevit.latency.comparison import Comparison
from edgevit.latency.interleaving import measure_together
from edgevit.latency.measurement import measure
from edgevit.latency.processors.estimated_profile import check_estimate, estimated_profile
from edgevit.latency.profile import Profile
from edgevit_runtime import read_manifest
from edgevit_runtime.measure.processors import parse_cpus
from edgevit_runtime.resolution import Resolution, ResolutionLike

__all__ = ["profile"]


@in_known_words
def profile(
    artefacts: OneOrMore,
    *,
    task: str | None = None,
    resolutions: Resolutions | None = None,
    threads: int | str | Sequence[int] = 1,
    accelerator: str = "cpu",
    cpus: str | Sequence[int] | None = None,
    seconds: float | None = None,
    duration: float | None = None,
    cool_down: float | None = None,
    sustained: float | None = None,
    sustained_at: ResolutionLike | None = None,
    ops: bool = False,
    budget_ms: float | None = None,
    predict: Resolutions | None = None,
    device: str = "local",
    estimate: str | None = None,
    benchmark_model: str | Path | None = None,
    on_step: Callable[[str, int, int], None] = lambda _name, _done, _total: None,
    on_result: Callable[[tuple[Profile, ...]], None] = lambda _profiles: None,
) -> dict[str, Any]:
    """Measures latency in ms, or estimates it: `edgevit.profile/1` of one artefact, `edgevit.comparison/1` of several.

    artefacts: a `.tflite` file, or several, which are measured in turns.
    task: whose signatures; None: `classify`, or the first that an artefact has.
    resolutions: which, [96, "640x384"] or "96,640x384"; None: all. A curve needs five.
    threads: 4, or several that are measured in turns: [1, 2, 4] or "1,2,4". cpus: the only ones to run on: "4-7".
    accelerator: `cpu`, `gpu`, or `auto`, a curve of each; a GPU that fails the artefact's self-test is not measured.
    seconds: the most to spend on each resolution; None: 3. duration: on all of them, pauses for cooling included.
    cool_down: seconds, the most to wait for a hot device; None: 60.
    sustained: seconds to run one resolution afterwards, to see the heat; sustained_at: which.
    ops: also where the time goes, by kind of operator.
    budget_ms: recommend the largest resolution within it (p95, or by its median where none is); the document's
        recommendation is empty where not even a median is, and nothing is raised: what was measured stays.
    predict: resolutions that were not run, to tell by the curve, where there is one.
    estimate: `cortex-a76` or `cortex-a72`: nothing runs, and what is told are estimates by counted instructions, each
        marked as one (docs/arm.md).
    device: local, ssh://HOST or adb://SERIAL. benchmark_model: TFLite's own program, for a phone to run instead.
    on_step: told (the artefact's name, turns done, turns in all). on_result: given the profiles that the document is
        made of, a first one and those beside it.

    Raises `ConfigError`, `ResolutionError`, `ArtefactError`, `DeviceError`, `ProfileError`.
    """
    request = ProfileRequest(
        resolutions=as_ladder(resolutions),
        threads=_threads(threads),
        cpus=parse_cpus(cpus) if isinstance(cpus, str) else tuple(cpus or ()),
        seconds=seconds,
        duration_s=duration,
        cool_down_s=cool_down,
        sustained_s=sustained,
        sustained_at=sustained_at,
        ops=ops,
        task=task,
        accelerator=accelerator,
    )
    paths, unseen = as_paths(artefacts), as_ladder(predict)
    program = None if benchmark_model is None else Path(benchmark_model)
    _check_artefacts(paths, unseen)
    profiles: tuple[Profile, ...]
    if estimate is not None:
        check_estimate(request, device=device, benchmark_model=program)
        profiles = tuple(estimated_profile(path, request, estimate) for path in paths)
    elif len(paths) == 1:
        on_step(paths[0].name, 0, 1)
        profiles = (measure(paths[0], request, device=device, benchmark_model=program),)
    else:
        profiles = measure_together(paths, request, device=device, benchmark_model=program, on_step=on_step)
    profiles = tuple(each.predicting(unseen) for each in profiles)
    if budget_ms is not None:
        profiles = tuple(each.within(budget_ms) for each in profiles)
    on_result(profiles)
    return profiles[0].to_dict() if len(paths) == 1 else Comparison(profiles).to_dict()


def _threads(given: int | str | Sequence[int]) -> tuple[int, ...]:
    if isinstance(given, str):
        return parse_threads(given)
    return (given,) if isinstance(given, int) else tuple(given)


def _check_artefacts(artefacts: Sequence[Path], unseen: Sequence[Resolution]) -> None:
    """Before minutes of measuring any of them: raises `ArtefactError` for a file that is none, and `ResolutionError`
    for a resolution to predict that a model cannot have."""
    for artefact in artefacts:
        if artefact.is_file():  # what is not there is the device's to report
            patch = read_manifest(artefact).patch
            for resolution in unseen:
                check_resolution(resolution, patch)
