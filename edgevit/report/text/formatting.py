"""Numbers and findings as text: said the same way in the terminal, in the picture and in the HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath

from edgevit.latency.budget import LatencyPrediction, Recommendation
from edgevit.latency.curve import Curve
from edgevit.latency.measurement import Profile
from edgevit.latency.plan import Candidate
from edgevit.latency.point import TENTHS, Point
from edgevit.latency.reliability import Reliability
from edgevit.latency.sustained_run import Sustained
from edgevit.statistics import centred, interval, margin
from edgevit_runtime.measure.machine import int8_may_be_slow
from edgevit_runtime.measure.sensors import heat_is_watched
from edgevit_runtime.wording import counted

__all__ = [
    "LATE",
    "artefact",
    "cooling",
    "crossover",
    "curve_trust",
    "doubts",
    "equation",
    "fit_quality",
    "lost",
    "mark",
    "marked",
    "marks",
    "mega",
    "ms",
    "not_told",
    "percent",
    "place",
    "predicted",
    "recommendation",
    "remarks",
    "shares",
    "short_marks",
    "size",
    "spread",
    "subject",
    "sustained",
    "threads",
    "top1",
    "unstable",
    "untold",
]

LATE = "its slowest tenth is over the budget"
"""What to add where a median fits and p90 does not."""


def ms(value: float) -> str:
    """Milliseconds with three significant digits: 0.453, 2.04, 12.0, 142."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def percent(fraction: float, digits: int = 0) -> str:
    """A fraction 0..1 as percent."""
    return f"{100 * fraction:.{digits}f} %"


def top1(share: float, count: int | None) -> str:
    """A top-1 of `count` pictures and its 95 % interval: `82.5 % ± 12` in points, or the two ends where that is not
    centred, `0.0 % (0.0–49.0 %)`.
    """
    if count is None:
        return percent(share, 1)
    if not centred(share, count):
        low, high = interval(share, count)
        return f"{percent(share, 1)} ({100 * low:.1f}–{percent(high, 1)})"
    points = 100 * margin(share, count)
    return f"{percent(share, 1)} ± {points:.{0 if points >= 9.95 else 1}f}"


def not_told(count: int) -> str:
    """The beginning of a sentence: `500 pictures do not tell`."""
    return f"{counted(count, 'picture')} {'does' if count == 1 else 'do'} not tell"


def untold(more: float, less: float, count: int) -> str:
    """What to add where chance alone may have put one top-1 above the other; nothing where it may not."""
    return f"; {not_told(count)} the two apart" if more - less <= margin(more, count) else ""


def lost(drop: float, ends: tuple[float, float] | None = None) -> str:
    """Points of top-1 lost, a gain negative, with the ends of their 95 % interval: `0.31 (-0.16 to 0.77)`."""
    points = [f"{round(100 * each, 2) + 0.0:.2f}" for each in (drop, *(ends or ()))]  # + 0.0: no -0.00
    return f"{points[0]} ({points[1]} to {points[2]})" if ends else points[0]


def mega(value: float) -> str:
    """Millions, for MACs and bytes: 1.25, 53.7, 1240."""
    millions = value / 1e6
    return f"{millions:.0f}" if millions >= 100 else f"{millions:.1f}" if millions >= 10 else f"{millions:.2f}"


def size(size_bytes: int | None) -> str:
    """A file's megabytes (10⁶ bytes), as `edgevit inspect` has them."""
    return "–" if size_bytes is None else f"{size_bytes / 1e6:.2f}"


def equation(curve: Curve, profile: Profile) -> str:
    """t(N) with each coefficient in the unit that it can be read in, and the marks of the points it stands on."""
    b_us, c_ns = 1e3 * curve.b_ms_per_token, 1e6 * curve.c_ms_per_token2
    return f"{_stands_on(profile)}t(N) = {ms(curve.a_ms)} ms + {ms(b_us)} µs · N + {ms(c_ns)} ns · N²"


def artefact(profile: Profile) -> str:
    """The artefact's file name."""
    return PurePath(profile.model).name


def place(profile: Profile) -> str:
    """What the device is: its board or processor, or else its name."""
    return profile.place


def threads(profile: Profile) -> str:
    return counted(profile.threads, "thread")


def subject(profile: Profile) -> str:
    """What was measured, where: `x.tflite · int8 · 1 thread · Cortex-A76`."""
    return f"{artefact(profile)} · {profile.recipe} · {threads(profile)} · {place(profile)}"


def mark(point: Point) -> str:
    """What stands before a median: `?` where it is doubtful, `~` where it had not settled."""
    return point.trust.mark


def marks(points: Iterable[Point | Candidate]) -> list[str]:
    """What the marks before these points' latencies mean, as far as there are any."""
    found = "".join(each.trust.mark for each in points)
    meaning = {"?": "? doubtful, the device was not as it should be", "~": "~ not settled in the time given"}
    return [text for sign, text in meaning.items() if sign in found]


def short_marks(points: Iterable[Point | Candidate]) -> str:
    """The same for a picture's legend; nothing where there are none."""
    return "; ".join(each.partition(",")[0] for each in marks(points))


def marked(value_ms: float, trust: Reliability) -> str:
    """Milliseconds with the mark before them."""
    return f"{trust.mark}{ms(value_ms)}"


def spread(points: Iterable[Point]) -> str:
    """Which percentiles stand beside these points' medians: `p10–p90`, or what there was in their place."""
    return " or ".join(dict.fromkeys(point.spread.replace("..", "–") for point in points))


def unstable(profile: Profile) -> str | None:
    """The resolutions whose medians had not settled."""
    names = [str(point.resolution) for point in profile.points if not point.stable]
    if not names:
        return None
    return f"~ not settled in the time given: {', '.join(names)}; give more --seconds, or an idle machine"


def doubts(profile: Profile) -> list[str]:
    """Why points may not be the device's own latency: a line for each reason, with the resolutions it holds for."""
    seen: dict[str, list[tuple[int, str]]] = {}
    for point in profile.points:
        for doubt in point.doubtful:
            seen.setdefault(doubt.why, []).append((point.resolution, doubt.detail))
    lines = []
    cores = profile.device.get("cores")
    if isinstance(cores, int) and 0 < cores < profile.threads:
        on = counted(cores, "core")
        lines.append(
            f"? {threads(profile)} on {on} wait for one another: --threads {cores} is the most that makes sense"
        )
    for why, places in seen.items():
        where = "all" if len({each for each, _ in places}) == len(profile.points) else _listed(places)
        details = {detail for _, detail in places}
        seen_there = details.pop() if len(details) == 1 else f"at {places[-1][0]}: {places[-1][1]}"
        lines.append(f"? doubtful: {where}; {_DOUBTS.get(why, why)} ({seen_there})")
    return lines


def _listed(places: list[tuple[int, str]]) -> str:
    return ", ".join(str(each) for each in sorted({resolution for resolution, _ in places}))


_DOUBTS = {
    "governor": "the governor holds the clock down: `cpupower frequency-set -g performance`, or the like",
    "clock": "the clock was lower than it can be",
    "throttled": "the device throttled: better cooling or power supply, or a longer --cool-down",
    "heat": "still hot when the time for cooling was over: a longer --cool-down",
    "load": "other processes wanted the processor: stop them",
    "steal": "the virtual machine had to share its processor",
}
"""The runtime's reasons in words, and what to do."""


def cooling(profile: Profile) -> str | None:
    """The pauses for cooling; None where there were none."""
    found = profile.cooling
    if found is None or not found.pauses:
        return None
    text = f"Paused {counted(found.pauses, 'time')} to cool, {found.paused_s:.0f} s together"
    return f"{text}, all that was allowed; it was hot once more after that" if found.gave_up else text


def sustained(run: Sustained) -> str:
    """What became of the speed in a run without a pause, and why that may be nothing of the heat's."""
    threads = counted(run.threads, "thread")
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
    found = []
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
            "The processor has no int8 dot products (VNNI, Arm's DotProd or i8mm): float32 may be as fast there; "
            "profile one beside it"
        )
    return found


def fit_quality(curve: Curve, profile: Profile) -> str:
    """R², and the worst that the curve does on a resolution it has not seen."""
    quality = f"R² {curve.r2:.4f}"
    errors = {each.tokens: each.error for each in curve.left_out}
    worst = max((p for p in profile.points if p.tokens in errors), key=lambda p: abs(errors[p.tokens]), default=None)
    if worst is None:
        return quality
    error = percent(abs(errors[worst.tokens]), 1)
    return f"{quality}; a resolution left out of the fit is predicted within {error} (worst: {worst.resolution})"


def crossover(curve: Curve, profile: Profile) -> str:
    """Where the quadratic part overtakes the linear one, in tokens and as a resolution; marked as `equation` is."""
    tokens, resolution = curve.crossover_tokens, curve.crossover_resolution(profile.patch)
    mark = _stands_on(profile)
    if tokens is None:
        return f"{mark}No quadratic part was found: over these resolutions time grows with N alone"
    if resolution is None:
        return f"{mark}The quadratic part outweighs the linear one at every resolution"
    text = f"{mark}The quadratic part outweighs the linear one from N = {tokens:.0f} on (resolution {resolution:.0f})"
    smallest, largest = profile.points[0], profile.points[-1]
    if tokens > largest.tokens:
        return f"{text}, beyond what was measured: at every measured resolution the linear part is the larger"
    return f"{text}, below what was measured" if tokens < smallest.tokens else text


def shares(curve: Curve, profile: Profile) -> str:
    """How much of the time is quadratic, from the smallest to the largest resolution."""
    first, last = profile.points[0], profile.points[-1]
    return (
        f"It is {percent(curve.quadratic_share(first.tokens))} of the time at {first.resolution} "
        f"and {percent(curve.quadratic_share(last.tokens))} at {last.resolution}"
    )


def recommendation(found: Recommendation) -> str:
    """The recommendation, with what the slowest tenth takes, and what the curve would allow beside it."""
    budget = f"{found.budget_ms:g} ms"
    if found.point is None:
        text = f"No measured resolution fits {budget}"
    else:
        text = (
            f"Largest resolution under {budget}: {found.point.resolution} "
            f"({marked(found.point.median_ms, found.point.trust)} ms median, p90 {ms(found.point.p90_ms)} ms)"
        )
        if found.point.p90_ms > found.budget_ms:
            text += f"; {LATE}"
        if found.point.trust.reason:
            text += f"; {found.point.trust.reason}"
    return f"{text}. {predicted(found.predicted)}" if found.predicted else text


def predicted(what: LatencyPrediction) -> str:
    """A resolution that the curve would allow beside the recommended one."""
    where = "beyond what was measured" if what.extrapolated else "not measured"
    return f"By the curve {what.resolution} would take {marked(what.predicted_ms, what.trust)} ms ({where})"


def curve_trust(profile: Profile) -> str | None:
    """What the marks of a profile's curve and of its predictions mean; None without a curve, or without marks."""
    reason = Reliability.of_all(point.trust for point in profile.points).reason if profile.curve else None
    return f"The curve stands on points that are marked, and so do its predictions: {reason}" if reason else None


def _stands_on(profile: Profile) -> str:
    """The mark, and a space, where any point that the curve was fitted to has one."""
    mark = Reliability.of_all(point.trust for point in profile.points).mark
    return f"{mark} " if mark else ""
