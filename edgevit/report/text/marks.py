"""The marks before latencies that something speaks against, and what they mean, in words."""

from __future__ import annotations

from collections.abc import Iterable

from edgevit.latency.plan import Candidate
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import ESTIMATE, Reliability
from edgevit.report.text.formatting import ms
from edgevit_runtime.measure.conditions import REASONS
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

__all__ = [
    "REMEDIES",
    "curve_trust",
    "doubts",
    "marked",
    "marks",
    "of_row",
    "short_marks",
    "spread",
    "stands_on",
    "unstable",
]

REMEDIES = {
    "governor": "`cpupower frequency-set -g performance`, or the like",
    "clock": "better cooling, or lift the cap that somebody set",
    "throttled": "better cooling or power supply, or a longer --cool-down",
    "heat": "a longer --cool-down",
    "load": "stop them",
    "steal": "measure on a machine of its own",
}
"""What to do about each of the runtime's reasons."""


def marks(points: Iterable[Point | Candidate]) -> list[str]:
    """What the marks before these points' latencies mean, as far as there are any."""
    found = "".join(each.trust.mark for each in points)
    meaning = {
        "≈": "≈ estimated, not measured",
        "?": "? doubtful, the device was not as it should be",
        "~": "~ not settled in the time given",
    }
    return [text for sign, text in meaning.items() if sign in found]


def short_marks(points: Iterable[Point | Candidate]) -> str:
    """The same for a picture's legend; nothing where there are none."""
    return "; ".join(each.partition(",")[0] for each in marks(points))


def marked(value_ms: float, trust: Reliability) -> str:
    """Milliseconds with the mark before them."""
    return f"{trust.mark}{ms(value_ms)}"


def of_row(point: Point, profile: Profile) -> str:
    """The mark that a page's table puts before a point's median: what holds for all of them is said once, above."""
    of_all = [sign for sign in "≈?~" if all(sign in each.trust.mark for each in profile.points)]
    return "".join(sign for sign in point.trust.mark if sign not in of_all)


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
    seen: dict[str, list[tuple[Resolution, str]]] = {}
    for point in profile.points:
        for doubt in point.doubtful:
            seen.setdefault(doubt.why, []).append((point.resolution, doubt.detail))
    lines = []
    cores = profile.device.get("cores")
    if isinstance(cores, int) and 0 < cores < profile.threads and profile.accelerator == "cpu":
        wait = f"{counted(profile.threads, 'thread')} on {counted(cores, 'core')} wait for one another"
        lines.append(f"? {wait}: --threads {cores} is the most that makes sense")
    for why, places in seen.items():
        if why == ESTIMATE:
            lines.append(f"≈ estimated, not measured: {places[0][1]}")
            continue
        where = "all" if len({each for each, _ in places}) == len(profile.points) else _listed(places)
        details = {detail for _, detail in places}
        seen_there = details.pop() if len(details) == 1 else f"at {places[-1][0]}: {places[-1][1]}"
        lines.append(f"? doubtful: {where}; {_reason(why)} ({seen_there})")
    return lines


def _reason(why: str) -> str:
    """What it means, and what to do; a reason of a newer runtime by its name alone."""
    return f"{REASONS[why]}: {REMEDIES[why]}" if why in REASONS else why


def _listed(places: list[tuple[Resolution, str]]) -> str:
    return ", ".join(str(each) for each in sorted({resolution for resolution, _ in places}))


def curve_trust(profile: Profile) -> str | None:
    """What the marks of a profile's curve and of its predictions mean; None without a curve, or without marks."""
    reason = Reliability.of_all(point.trust for point in profile.points).reason if profile.curve else None
    return f"The curve stands on points that are marked, and so do its predictions: {reason}" if reason else None


def stands_on(profile: Profile) -> str:
    """The mark, and a space, where any point that the curve was fitted to has one."""
    mark = Reliability.of_all(point.trust for point in profile.points).mark
    return f"{mark} " if mark else ""
