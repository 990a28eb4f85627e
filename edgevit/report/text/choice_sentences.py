"""What to take within a budget, and why, in sentences: the same in the terminal, on the page and under its slider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from edgevit.latency.recommendation import Choice, Eligible, Surety
from edgevit.latency.reliability import ESTIMATE
from edgevit.report.text import formatting, marks
from edgevit_runtime.resolution import Resolution

__all__ = ["STYLES", "Takeable", "grounds", "latency", "more_pictures", "worth"]

STYLES: dict[Surety, str] = {
    "sure": "bold green",
    "doubtful": "bold yellow",
    "unknown": "bold",
    "missed": "bold red",
}
"""How the terminal shows a recommendation: green only where it is sure."""

UNKNOWN = "Its accuracy is unknown: it is the largest that fits. `edgevit evaluate` tells what each resolution is worth"
UNPAIRED = " (the interval of two samples: these evaluations do not say which pictures were right; new ones do)"


class Takeable(Eligible, Protocol):
    """What has a resolution and says which percentile its slow runs are: a candidate, or a point of a profile."""

    @property
    def resolution(self) -> Resolution: ...

    @property
    def late_name(self) -> str: ...


Some = TypeVar("Some", bound=Takeable)


def latency(each: Takeable, *, marked: bool = True, extrapolated: bool = False) -> str:
    """`11.2 ms median, p95 12.3 ms`, or what is estimated or predicted; `marked`: with what speaks against it."""
    typical = marks.marked(each.latency_ms, each.trust) if marked else formatting.ms(each.latency_ms)
    if each.predicted:
        how = "extrapolated" if extrapolated else "predicted"
        return f"{typical} ms {how}, up to {formatting.ms(each.late_ms)} ms"
    if ESTIMATE in each.trust.whys:
        return f"{typical} ms estimated"
    return f"{typical} ms median, {each.late_name} {formatting.ms(each.late_ms)} ms"


def worth(each: Takeable) -> str:
    """`top-1 82.1 % ± 2.1`; nothing where it was not evaluated."""
    found = each.accuracy
    return "" if found is None else f"{found.metric.heading} {formatting.accuracy(found)}"


def more_pictures(choice: Choice[Some], name: Callable[[Some], str]) -> str:
    """`more pictures are needed to tell it from x.tflite at 128 (top-1 85.0 % ± 11)`; nothing where they are enough."""
    if choice.best is None or not choice.too_few_pictures:
        return ""
    return f"more pictures are needed to tell it from {name(choice.best)} ({worth(choice.best)})"


def grounds(choice: Choice[Some], name: Callable[[Some], str], *, marked: bool = True) -> list[str]:
    """Why it is that, and what speaks against it, a sentence each, without full stops.

    name: what to call a candidate. marked: name the reasons of marks, too; a page tells them in one place.
    """
    taken, best, less = choice.taken, choice.best, choice.less
    if taken is None:
        return []
    told = []
    if not choice.in_time:
        told.append(f"Only its median is within the budget: {taken.late_name} is {formatting.ms(taken.late_ms)} ms")
    if best is None:
        told.append(UNKNOWN)
    elif best is taken:
        told.append("It is the most accurate that fits")
    else:
        assert best.accuracy is not None
        other = f"the most accurate that fits, {name(best)} ({latency(best, marked=marked)}, {worth(best)})"
        if less is None:
            told.append(f"It is as accurate as {other}")
        else:
            unpaired = "" if less.paired else UNPAIRED
            told.append(f"{formatting.not_told(best.accuracy.count or 0)} it from {other}{unpaired}")
        if less is not None and choice.too_few_pictures:
            told.append(f"It may be up to {100 * less.high:.0f} points less accurate: evaluate both on more pictures")
    if marked and taken.trust.reason:
        told.append(taken.trust.reason)
    return told
