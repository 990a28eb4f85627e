"""What to take within a latency budget: one rule, wherever edgevit recommends something.

The fastest that is not distinguishably less accurate than the most accurate one within the budget. Where nothing was
evaluated the largest, and nobody knows what it is worth. What is within the budget is so with its slow runs, too (p95,
or p90 where that is all there is; of a prediction the upper end of its range); only where nothing is, medians decide,
and the recommendation says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from edgevit.latency.reliability import Reliability
from edgevit.picture_record import Accuracy, Difference

__all__ = ["TOLERABLE", "Choice", "Eligible", "Surety", "choices", "recommend"]

Surety = Literal["sure", "doubtful", "unknown", "missed"]
"""How far a recommendation can be trusted: `sure`; `doubtful` where its latency may not be the device's own, is only
predicted, is within the budget by its median alone, or where the pictures are too few to tell what it loses; `unknown`
where nothing was evaluated; `missed` where nothing fits."""

TOLERABLE = 0.05
"""So much less accurate (a share of the pictures) what is taken may be by its interval, before more pictures are asked
for: what is "not told apart" by forty pictures may still lose twenty points."""


class Eligible(Protocol):
    """What can be taken: a resolution of an artefact, measured or predicted."""

    @property
    def latency_ms(self) -> float:
        """The median, or what is predicted."""

    @property
    def late_ms(self) -> float:
        """What the slow runs take, or the upper end of the prediction's range."""

    @property
    def predicted(self) -> bool: ...

    @property
    def size(self) -> float:
        """Tokens or MACs: the larger is mostly the more accurate, where nobody knows."""

    @property
    def accuracy(self) -> Accuracy | None: ...

    @property
    def trust(self) -> Reliability:
        """What speaks against its latency."""


Taken = TypeVar("Taken", bound=Eligible)


@dataclass(frozen=True)
class Choice(Generic[Taken]):
    """What to take within a budget, and what that stands on."""

    budget_ms: float
    taken: Taken | None
    best: Taken | None = None
    """The most accurate within the budget, from which the pictures do not tell what is taken; it may be that itself.
    None where nothing was evaluated."""
    in_time: bool = True
    """Whether the slow runs of what is taken are within the budget, and not its median alone."""

    @property
    def less(self) -> Difference | None:
        """What is taken against the most accurate: how much less accurate it may be; None where it is the same."""
        if self.taken is None or self.best is None or self.best is self.taken:
            return None
        assert self.best.accuracy is not None
        assert self.taken.accuracy is not None
        return self.best.accuracy.less(self.taken.accuracy)

    @property
    def too_few_pictures(self) -> bool:
        """Whether what is taken may be clearly less accurate than the best, for all that the pictures tell."""
        return self.less is not None and self.less.high > TOLERABLE

    @property
    def state(self) -> Surety:
        if self.taken is None:
            return "missed"
        if self.taken.predicted or self.taken.trust.mark or not self.in_time or self.too_few_pictures:
            return "doubtful"
        return "unknown" if self.taken.accuracy is None else "sure"

    def to_dict(self) -> dict[str, Any]:
        """Keys for a document: how sure it is, and how it compares with the most accurate."""
        return {
            "state": self.state,
            "in_time": self.in_time if self.taken else None,
            "less_accurate": self.less.to_dict() if self.less else None,
            "too_few_pictures": self.too_few_pictures,
        }


def recommend(options: Sequence[Taken], budget_ms: float) -> Choice[Taken]:
    """What to take within a budget; `taken` is None where nothing fits. See the module for the rule.

    Options with an accuracy and options without cannot be held against each other: where some have one, those count.
    """
    known = [each for each in options if each.accuracy is not None]
    options = known or options
    in_time = [each for each in options if each.late_ms <= budget_ms]
    fitting = in_time or [each for each in options if each.latency_ms <= budget_ms and not each.predicted]
    if not fitting:
        return Choice(budget_ms, None)
    if not known:
        largest = max(fitting, key=lambda each: (each.size, -each.latency_ms))
        return Choice(budget_ms, largest, None, bool(in_time))
    best = max(fitting, key=_worth)
    fastest = min((each for each in fitting if not _told(best, each)), key=lambda each: each.latency_ms)
    # None that is as fast is better: a smaller difference may be told apart where a larger one is not.
    taken = max((each for each in fitting if each.latency_ms <= fastest.latency_ms), key=_worth)
    return Choice(budget_ms, taken, best, bool(in_time))


def choices(options: Sequence[Taken]) -> Iterator[Choice[Taken]]:
    """Every recommendation that there is, each for the least budget that it holds for, ascending.

    So a page need not know the rule: within a budget holds the last that begins at it or below.
    """
    before: tuple[object, ...] = ()
    for budget_ms in sorted({ms for each in options for ms in (each.late_ms, each.latency_ms)}):
        found = recommend(options, budget_ms)
        now = (id(found.taken), id(found.best), found.in_time)
        if found.taken is not None and now != before:
            before = now
            yield found


def _worth(option: Eligible) -> tuple[float, float]:
    """By accuracy; of equals the faster."""
    assert option.accuracy is not None
    return option.accuracy.share, -option.latency_ms


def _told(best: Eligible, option: Eligible) -> bool:
    """Whether the pictures tell the option to be less accurate; any difference does where nobody knows how many."""
    assert best.accuracy is not None
    assert option.accuracy is not None
    less = best.accuracy.less(option.accuracy)
    return best.accuracy.share > option.accuracy.share if less is None else less.told
