"""A plan in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.reliability import Reliability
from edgevit.report.text import formatting, marks, sentences
from edgevit.report.text.column_widths import Shortened

__all__ = ["best", "choice", "costs", "doubts", "latency", "plan_view"]


def plan_view(plans: Sequence[Plan]) -> RenderableType:
    """The Pareto front of each device, a row a candidate, the chosen one bold; below, what was chosen and left out."""
    several, evaluated = len(plans) > 1, plans[0].evaluated
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    if several:
        table.add_column("device")
    table.add_column("model")
    table.add_column("recipe", no_wrap=True)
    sized = any(each.size_bytes for plan in plans for each in plan.front)
    numbers = ["res.", "N", "ms", "p90 / up to", "top-1" if evaluated else "MMACs"] + ["MB"] * sized
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("")
    for plan in plans:
        for each in plan.front:
            late = plan.budget_ms is not None and not each.fits(plan.budget_ms)
            style = "bold green" if each == plan.chosen else "dim" if late else None
            table.add_row(*[Shortened(plan.device)] * several, Shortened(each.label), *_cells(each, sized), style=style)
        table.add_section()
    lines = [line for plan in plans for line in _lines(plan)]
    shown = [each for plan in plans for each in plan.front]
    if reason := Reliability.of_all(each.trust for each in shown).reason:
        stands = "; of a prediction: what it stands on" if any(each.predicted for each in shown) else ""
        lines.insert(0, f"{reason}{stands}.")
    if any(each.extrapolated for each in shown):
        lines.insert(0, "Extrapolated: predicted beyond what was measured.")
    lines.insert(0, _late_column(any(each.predicted for each in shown)))
    chosen = [
        Text(f"{choice(plan)}.", style="bold green" if plan.chosen else "bold red")
        for plan in plans
        if plan.budget_ms is not None
    ]
    return Group(table, *map(Text, dict.fromkeys(lines)), *chosen)


def _cells(each: Candidate, sized: bool) -> list[str]:
    """All but device and model; `sized`: with the file's MB."""
    worth = formatting.mega(each.worth) if each.top1 is None else formatting.top1(each.top1, each.images)
    cells = [each.recipe, str(each.resolution), str(each.tokens)]
    cells += [marks.marked(each.latency_ms, each.trust), formatting.ms(each.late_ms), worth]
    cells += [formatting.size(each.size_bytes)] * sized
    return [*cells, "extrapolated" if each.extrapolated else "predicted" if each.predicted else ""]


def _late_column(predictions: bool) -> str:
    """What `p90 / up to` holds, and that a budget goes by something else."""
    upper = "; of a prediction: up to what it may be, by which it fits" if predictions else ""
    return f"p90 / up to: the slowest tenth takes that or more; a budget goes by the median{upper}."


def _lines(plan: Plan) -> list[str]:
    """What was left out, why, and what predictions stand on."""
    rest = len(plan.candidates) - len(plan.front)
    what = "more accurate" if plan.evaluated else "larger"
    lines = [f"Left out: {rest} of {len(plan.candidates)} that are slower and no {what}."] if rest else []
    lines += [f"Not considered: {note}." for note in plan.notes]
    return [*lines, *plan.assumed]


def choice(plan: Plan) -> str:
    """What to take within the budget, what it costs and buys, and what speaks against that figure."""
    if plan.chosen is None:
        return f"Nothing fits {plan.budget_ms:g} ms{plan.where}"
    late = plan.budget_ms is not None and plan.chosen.late(plan.budget_ms)
    what = f"{costs(plan.chosen, plan)}{f'; {sentences.LATE}' if late else ''}{doubts(plan.chosen, plan)}"
    return f"{best(plan)} within {plan.budget_ms:g} ms{plan.where}: {what}"


def best(plan: Plan) -> str:
    """What the choice is the best by."""
    return "Most accurate" if plan.evaluated else "Largest"


def costs(each: Candidate, plan: Plan) -> str:
    """A candidate, and what it costs and buys."""
    worth = f", top-1 {formatting.top1(each.worth, each.images)}" if plan.evaluated else ""
    return f"{_named(each, plan)} ({latency(each)}{worth})"


def doubts(each: Candidate, plan: Plan) -> str:
    """What to add to that: what speaks against the latency, and a faster one that may be as accurate; or nothing."""
    reason = f"; {each.trust.reason}" if each.trust.reason else ""
    return f"{reason}{_alike(each, plan)}"


def _named(each: Candidate, plan: Plan) -> str:
    recipe = f" in {each.recipe}" if len({other.recipe for other in plan.candidates}) > 1 else ""
    return f"{each.label}{recipe} at {each.resolution}"


def _alike(each: Candidate, plan: Plan) -> str:
    """The sentence that a faster candidate may be as accurate, by the pictures that there were; or nothing."""
    faster = plan.alike(each)
    if faster is None or each.images is None:
        return ""
    two = f"{_named(each, plan)} from {_named(faster, plan)}"
    return f". {formatting.not_told(each.images)} {two} ({latency(faster)})"


def latency(each: Candidate) -> str:
    """`11.2 ms median, p90 12.3 ms`, or what is predicted."""
    typical = marks.marked(each.latency_ms, each.trust)
    if each.predicted:
        how = "extrapolated" if each.extrapolated else "predicted"
        return f"{typical} ms {how}, up to {formatting.ms(each.late_ms)} ms"
    return f"{typical} ms median, p90 {formatting.ms(each.late_ms)} ms"
