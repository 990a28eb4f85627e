"""What a profile says, in sentences: the same in the terminal, in the picture and in the HTML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from edgevit.latency.budget import LatencyPrediction, Recommendation
from edgevit.latency.curve import Curve
from edgevit.latency.point import TENTHS
from edgevit.latency.profile import Profile
from edgevit.latency.recommendation import Choice
from edgevit.latency.reliability import ESTIMATE
from edgevit.latency.sustained_run import Sustained
from edgevit.report.text.choice_sentences import grounds, latency
from edgevit.report.text.formatting import ms, percent
from edgevit.report.text.marks import spread
from edgevit_runtime.measure.machine import int8_may_be_slow
from edgevit_runtime.measure.sensors import heat_is_watched
from edgevit_runtime.wording import counted

__all__ = [
    "artefact",
    "cooling",
    "crossover",
    "equation",
    "fit_quality",
    "predicted",
    "recommendation",
    "remarks",
    "shares",
    "subject",
    "sustained",
    "threads",
]


def equation(curve: Curve, marks: str = "") -> str:
    """t(N) with each coefficient in the unit that it can be read in; marks: of the points that it stands on."""
    b_us, c_ns = 1e3 * curve.b_ms_per_token, 1e6 * curve.c_ms_per_token2
    return f"{marks}t(N) = {ms(curve.a_ms)} ms + {ms(b_us)} µs · N + {ms(c_ns)} ns · N²"


def artefact(profile: Profile) -> str:
    """The artefact's file name."""
    return PurePath(profile.model).name


def threads(profile: Profile) -> str:
    """On how many it ran; or that it was the GPU."""
    return profile.runs_on


def subject(profile: Profile) -> str:
    """What was measured, where: `x.tflite · classify · int8 · 1 thread · Cortex-A76 · ssh://pi`; this machine has no
    address, and a document of an older version no task."""
    words = [artefact(profile), *filter(None, [profile.task]), profile.recipe, threads(profile), profile.place]
    if "://" in profile.device_name and profile.device_name != profile.place:
        words.append(profile.device_name)
    return " · ".join(words)


def cooling(profile: Profile) -> str | None:
    """The pauses for cooling; None where there were none."""
    found = profile.cooling
    if found is None or not found.pauses:
        return None
    text = f"Paused {counted(found.pauses, 'time')} to cool, {found.paused_s:.0f} s together"
    return f"{text}, all that was allowed; it was hot once more after that" if found.gave_up else text


def sustained(run: Sustained) -> str:
    """What became of the speed in a run without a pause, and why that may be nothing of the heat's."""
    threads = "the GPU" if run.accelerator == "gpu" else counted(run.threads, "thread")
    text = (
        f"{run.seconds:.0f} s without a pause at {run.resolution} on {threads}: "
        f"{ms(run.first_ms)} ms at first, {ms(run.steady_ms)} ms at the end"
    )
    mark = run.trust.mark
    text += f", {mark}{percent(run.drop)} of the speed lost" if run.drop >= 0.01 else f", {mark}no speed lost"
    if run.slower_from_s is not None:
        text += f"; slower by 5 % or more from {run.slower_from_s:.0f} s on"
    if run.hottest_c is not None and run.coldest_c is not None:
        text += f"; {run.coldest_c:.0f} to {run.hottest_c:.0f} °C"
    else:
        text += "; no temperature could be read"
    if run.trust.reason:
        text += f"; {run.trust.reason} ({', '.join(each.detail for each in run.doubtful)})"
    return text


def remarks(profile: Profile) -> list[str]:
    """What to know of the figures: percentiles that stand for others, that nothing would have told of heat, or that
    int8 gains no speed on the device.

    Nothing where an older document does not say.
    """
    found = [*_estimate(profile)]
    others = [point for point in profile.points if point.spread != TENTHS]
    if others:
        found.append(
            f"The runs' scatter was told as {spread(others)}: they stand where p10 and p90 are named, further out"
        )
    sensors = profile.device.get("sensors")
    if isinstance(sensors, Mapping) and not heat_is_watched(sensors):
        found.append(
            "No temperature, clock or throttling can be read there: what heat does to these figures goes unnoticed"
        )
    if int8_may_be_slow(profile.device, profile.recipe):
        found.append(
            "The processor has no int8 dot products (VNNI): float32 may be as fast there; profile one beside it"
        )
    return found


def _estimate(profile: Profile) -> list[str]:
    """How an estimate came about, and how far to believe it."""
    basis = profile.estimate
    if not basis:
        return []
    low, high = percent(basis.least_error), percent(basis.most_error)
    return [
        f"An estimate: nobody ran this on a {basis.board}. Cycles of one thread, by the instructions that its kernels "
        f"were counted to take, at {basis.ghz:g} GHz, times {basis.factor:g} for what counting cannot see. Boards "
        f"were {low} to {high} slower than the cycles alone say (docs/arm.md)"
    ]


def fit_quality(curve: Curve, profile: Profile) -> str:
    """R², and the worst that the curve does on a resolution it has not seen."""
    quality = f"R² {curve.r2:.4f}"
    worst = max(curve.left_out, key=lambda each: abs(each.error), default=None)
    if worst is None:
        return quality
    error = percent(abs(worst.error), 1)
    return f"{quality}; a resolution left out of the fit is predicted within {error} (worst: {worst.resolution})"


def crossover(curve: Curve, profile: Profile, mark: str = "") -> str:
    """Where the quadratic part overtakes the linear one, in tokens and as a square; marked as `equation` is."""
    tokens, resolution = curve.crossover_tokens, curve.crossover_resolution(profile.patch)
    if tokens is None:
        return f"{mark}No quadratic part was found: over these resolutions time grows with N alone"
    if resolution is None:
        return f"{mark}The quadratic part outweighs the linear one at every resolution"
    text = f"{mark}The quadratic part outweighs the linear one from N = {tokens:.0f} on (a square of {resolution:.0f})"
    smallest, largest = profile.points[0], profile.points[-1]
    if tokens > largest.tokens:
        was = profile.obtained
        return f"{text}, beyond what was {was}: at every {was} resolution the linear part is the larger"
    return f"{text}, below what was {profile.obtained}" if tokens < smallest.tokens else text


def shares(curve: Curve, profile: Profile) -> str:
    """How much of the time is quadratic, from the smallest to the largest resolution."""
    first, last = profile.points[0], profile.points[-1]
    return (
        f"It is {percent(curve.quadratic_share(first.tokens))} of the time at {first.resolution} "
        f"and {percent(curve.quadratic_share(last.tokens))} at {last.resolution}"
    )


def recommendation(found: Recommendation) -> str:
    """What a profile alone recommends, and what its curve would allow beside it."""
    budget = f"{found.budget_ms:g} ms"
    if found.point is None:
        text = f"No resolution of the profile fits {budget}"
    else:
        choice = Choice(found.budget_ms, found.point, in_time=found.in_time)
        text = f"Take {found.point.resolution} within {budget}: {latency(found.point)}"
        text = ". ".join([text, *grounds(choice, lambda each: str(each.resolution))])
    return f"{text}. {predicted(found.predicted)}" if found.predicted else text


def predicted(what: LatencyPrediction, *, marked: bool = True) -> str:
    """A resolution that the curve would allow beside the recommended one."""
    estimated = ESTIMATE in what.trust.whys
    where = f"beyond what was {'estimated' if estimated else 'measured'}" if what.extrapolated else "not measured"
    took = f"{what.trust.mark if marked else ''}{ms(what.predicted_ms)}"
    return f"By the curve a square of {what.resolution} would take {took} ms ({where})"
