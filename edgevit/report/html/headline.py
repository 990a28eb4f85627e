"""What the page says is to be taken: a card for each device, and a row for each profile, for any budget.

The slider moves through what is said here: its script knows no rule, it looks up the last entry that begins at the
budget or below (`edgevit.latency.recommendation.choices`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isinf
from typing import Any

from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.recommendation import Choice, choices
from edgevit.report.text import formatting
from edgevit.report.text.choice_sentences import grounds, latency, more_pictures, worth
from edgevit.report.text.plan_table import namer
from edgevit_runtime.wording import counted

__all__ = ["BUDGET", "Headline", "ProfileRow", "device_headline", "entries", "profile_row"]

BUDGET = "{budget}"
"""Stands in texts for the budget, which the script puts there."""


@dataclass(frozen=True)
class Headline:
    """One card: its colour by how sure it is, a big word, what that is, and what to know about it."""

    state: str
    big: str
    what: str
    notes: tuple[str, ...]
    chosen: str = ""
    """The resolution; empty where nothing is to be taken."""

    def to_dict(self) -> dict[str, Any]:
        return {"state": self.state, "big": self.big, "what": self.what, "notes": self.notes, "chosen": self.chosen}


@dataclass(frozen=True)
class ProfileRow:
    """One profile's cells: what to take of it alone, and what that costs and buys."""

    state: str
    chosen: str
    cells: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"state": self.state, "cells": self.cells, "chosen": self.chosen}


def device_headline(plan: Plan, choice: Choice[Candidate] | None, budget: str) -> Headline:
    """The card of a plan. budget: what to write for it, `30 ms`. Without a choice, what latencies there are."""
    # Where nothing was measured, all is predicted of a model that the page's title does not name.
    alone = len({(each.label, each.recipe) for each in plan.candidates}) == 1 and any(
        not each.predicted for each in plan.candidates
    )
    name: Callable[[Candidate], str] = (lambda each: str(each.resolution)) if alone else namer(plan)
    if choice is None:
        measured = sorted((each for each in plan.candidates if not each.predicted), key=lambda each: each.latency_ms)
        first, last = measured[0], measured[-1]
        span = f"{formatting.ms(first.latency_ms)} – {formatting.ms(last.latency_ms)} ms"
        return Headline("unknown", span, f"median latency from {name(first)} to {name(last)}", ())
    taken = choice.taken
    if taken is None:
        fastest = min(plan.candidates, key=lambda each: each.needs_ms)
        took = latency(fastest, marked=False, extrapolated=fastest.extrapolated)
        doubt = _doubt(fastest)
        note = f"The fastest, {name(fastest)}, takes {took}."
        return Headline("missed", "none", f"nothing fits {budget}", (note, *doubt))
    kind = "the fastest that is as accurate as any" if isinf(choice.budget_ms) else f"what to take within {budget}"
    what = f"is {kind}" if alone else f"of {_who(taken, plan)} is {kind}"
    what += f"; {few}" if (few := more_pictures(choice, name)) else ""
    bought = f"; {worth(taken)} on {counted(taken.images, 'picture')}" if taken.accuracy and taken.images else ""
    costs = f"{latency(taken, marked=False, extrapolated=taken.extrapolated)}{bought}"
    told = [] if isinf(choice.budget_ms) and choice.best is taken else grounds(choice, name, marked=False)
    notes = (f"{each}." for each in (costs, *told))
    return Headline(choice.state, str(taken.resolution), what, (*notes, *_doubt(taken)), str(taken.resolution))


def _who(each: Candidate, plan: Plan) -> str:
    return namer(plan)(each).removesuffix(f" at {each.resolution}")


def _doubt(each: Candidate) -> list[str]:
    """That its latency is marked; what that means stands once, at the top of the page."""
    return ["Its latency is doubtful: see the top of the page."] if each.trust.mark else []


def profile_row(plan: Plan, choice: Choice[Candidate] | None) -> ProfileRow:
    """What to take of one profile alone: resolution, median, p95 and accuracy."""
    taken = choice.taken if choice else None
    if taken is None:
        return ProfileRow("missed" if choice else "", "", ("none" if choice else "–", "–", "–", "–"))
    found = "unknown" if taken.accuracy is None else formatting.accuracy(taken.accuracy)
    assert choice is not None
    cells = (str(taken.resolution), formatting.ms(taken.latency_ms), formatting.ms(taken.late_ms), found)
    return ProfileRow(choice.state, str(taken.resolution), cells)


def entries(plan: Plan, made: Callable[[Choice[Candidate]], Headline | ProfileRow]) -> list[dict[str, Any]]:
    """For the script: what holds from which budget on, ascending; the first where nothing fits."""
    nothing: Choice[Candidate] = Choice(0.0, None)
    return [{"from": each.budget_ms, **made(each).to_dict()} for each in (nothing, *choices(plan.candidates))]
