"""Which model, recipe and resolution to take for a budget: the front of what is fast and what is accurate.

A candidate is on the Pareto front where none is both as fast and better. Without accuracies the MACs stand in for
them: of one family of models the larger is mostly the better, but only an evaluation tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgevit.errors import BudgetError, ProfileError
from edgevit.latency.cost import Cost
from edgevit.latency.recommendation import Choice, recommend
from edgevit.latency.reliability import SURE, Reliability
from edgevit.picture_record import TOP1, Accuracy, Metric
from edgevit_runtime.resolution import Resolution

__all__ = ["SCHEMA", "SEVERAL", "Candidate", "Plan", "plans_document"]

SCHEMA = "edgevit.plan/1"
SEVERAL = "edgevit.plans/1"
"""A plan for each of several devices."""


@dataclass(frozen=True)
class Candidate:
    """One artefact at one resolution on one device."""

    label: str
    model: str
    variant: str | None
    recipe: str
    threads: int
    device: str
    resolution: Resolution
    tokens: int
    macs: Cost | None
    """None where only a curve speaks for the resolution."""
    latency_ms: float
    """The median where it was measured, or what is predicted."""
    late_ms: float
    """What the slow runs take (`late_name`), or the upper end of the prediction's range."""
    predicted: bool
    accuracy: Accuracy | None = None
    """The task's metric, and on which pictures it was counted."""
    size_bytes: int | None = None
    """Of the artefact's file; None where it is not known, as of one that is only predicted."""
    extrapolated: bool = False
    """Whether it is predicted outside the measured resolutions."""
    late_name: str = "p90"
    """Which percentile `late_ms` is, where it was measured: `p95`, or `p90` of older profiles."""
    trust: Reliability = SURE
    """What speaks against its latency, or against what that is predicted from."""
    accelerator: str = "cpu"
    """`cpu` or `gpu`: what runs it."""

    @property
    def images(self) -> int | None:
        """How many pictures the accuracy was counted on."""
        return None if self.accuracy is None else self.accuracy.count

    @property
    def size(self) -> float:
        return self.macs.total if self.macs else 0.0

    @property
    def worth(self) -> float:
        """What is to be had for the latency: the accuracy, or MACs where nothing was evaluated."""
        return self.size if self.accuracy is None else self.accuracy.share

    @property
    def margin(self) -> float | None:
        """Half the width of the accuracy's 95 % interval; None where nobody knows how far it may be off."""
        ends = self.accuracy.interval if self.accuracy else None
        return None if ends is None else (ends[1] - ends[0]) / 2.0

    @property
    def needs_ms(self) -> float:
        """The least budget that it can be taken under: its median; of a prediction the upper end of its range."""
        return self.late_ms if self.predicted else self.latency_ms

    def fits(self, budget_ms: float) -> bool:
        return self.needs_ms <= budget_ms

    def to_dict(self) -> dict[str, Any]:
        metric = self.accuracy.metric if self.accuracy else TOP1
        return {
            "label": self.label,
            "model": self.model,
            "variant": self.variant,
            "recipe": self.recipe,
            "threads": self.threads,
            "accelerator": self.accelerator,
            "device": self.device,
            **self.resolution.to_fields(),
            "tokens": self.tokens,
            "macs": {"linear": self.macs.linear_macs, "attention": self.macs.attention_macs} if self.macs else None,
            "latency_ms": self.latency_ms,
            "late_ms": self.late_ms,
            "late": "upper end" if self.predicted else self.late_name,
            "predicted": self.predicted,
            metric.key: self.accuracy.share if self.accuracy else None,
            f"{metric.key}_margin": self.margin,
            "size_bytes": self.size_bytes,
            "extrapolated": self.extrapolated,
            **self.trust.to_dict(),
        }


@dataclass(frozen=True)
class Plan:
    """Candidates that can be held against each other, and a budget."""

    candidates: tuple[Candidate, ...]
    budget_ms: float | None = None
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    assumed: tuple[str, ...] = ()
    """What predictions stand on beside the profiles: a sentence each."""
    several: bool = False
    """Whether other devices have plans beside it, so that it has to name its own."""

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ProfileError("nothing to choose from: no profiled resolution was evaluated")
        if len({candidate.accuracy is None for candidate in self.candidates}) > 1:
            raise ProfileError("candidates with an accuracy cannot be held against candidates without")
        if len({candidate.accuracy.metric for candidate in self.candidates if candidate.accuracy}) > 1:
            raise ProfileError("candidates of one task cannot be held against candidates of another")
        if len({candidate.device for candidate in self.candidates}) > 1:
            raise ProfileError("candidates on one device cannot be held against candidates on another")

    @property
    def device(self) -> str:
        """All candidates are of one: what is fast on one device says nothing of another."""
        return self.candidates[0].device

    @property
    def where(self) -> str:
        """` on ssh://pi`, or nothing where there is no other device."""
        return f" on {self.device}" if self.several else ""

    @property
    def evaluated(self) -> bool:
        return self.candidates[0].accuracy is not None

    @property
    def metric(self) -> Metric | None:
        """What its accuracies are; None where nothing was evaluated."""
        found = self.candidates[0].accuracy
        return found.metric if found else None

    @cached_property
    def front(self) -> tuple[Candidate, ...]:
        """The Pareto front, ascending in latency and in worth."""
        kept: list[Candidate] = []
        for each in sorted(self.candidates, key=lambda c: (c.latency_ms, -c.worth, c.predicted)):
            if not kept or each.worth > kept[-1].worth:
                kept.append(each)
        return tuple(kept)

    @cached_property
    def choice(self) -> Choice[Candidate] | None:
        """What to take within the budget; None without one."""
        return None if self.budget_ms is None else recommend(self.candidates, self.budget_ms)

    @property
    def chosen(self) -> Candidate | None:
        """None where nothing fits, or without a budget."""
        return self.choice.taken if self.choice else None

    @property
    def shown(self) -> tuple[Candidate, ...]:
        """The front and whatever the choice names, ascending in latency.

        What is taken need not be on the front: a faster and better one may miss the budget by its slow runs, or by the
        range of its prediction.
        """
        named = [] if self.choice is None else [self.choice.taken, self.choice.best]
        wanted = {id(each) for each in (*self.front, *named) if each is not None}
        return tuple(
            sorted((each for each in self.candidates if id(each) in wanted), key=lambda c: (c.latency_ms, c.worth))
        )

    def check(self) -> None:
        """Raises `BudgetError`, naming the fastest candidate, where nothing fits."""
        if self.budget_ms is None or self.chosen is not None:
            return
        fastest = min(self.candidates, key=lambda each: each.needs_ms)
        mark, reason = fastest.trust.mark, fastest.trust.reason
        if fastest.predicted:
            took = f"up to {mark}{fastest.late_ms:.3g} ms (predicted)"
        else:
            took = f"{mark}{fastest.latency_ms:.3g} ms"
        raise BudgetError(
            f"nothing fits {self.budget_ms:g} ms{self.where}: the fastest, {fastest.label} at {fastest.resolution}, "
            f"takes {took}{f' ({reason})' if reason else ''}; "
            "allow more, or profile a smaller variant, larger patches or a lower resolution"
        )

    def to_dict(self) -> dict[str, Any]:
        front = set(map(id, self.front))
        return {
            "schema": SCHEMA,
            "budget_ms": self.budget_ms,
            "by": self.metric.key if self.metric else "macs",
            "chosen": self.chosen.to_dict() if self.chosen else None,
            "most_accurate": self.choice.best.to_dict() if self.choice and self.choice.best else None,
            **(self.choice.to_dict() if self.choice else {}),
            "front": [each.to_dict() for each in self.front],
            "candidates": [{**each.to_dict(), "on_front": id(each) in front} for each in self.candidates],
            "notes": list(self.notes),
            "assumed": list(self.assumed),
        }


def plans_document(plans: Sequence[Plan]) -> dict[str, Any]:
    """`edgevit.plan/1` of one device, or `edgevit.plans/1`, which holds one for each of several."""
    if len(plans) == 1:
        return plans[0].to_dict()
    return {"schema": SEVERAL, "plans": [{"device": each.device, **each.to_dict()} for each in plans]}
