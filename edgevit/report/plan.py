"""A plan in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.trust import Trust
from edgevit.report import words

__all__ = ["choice", "latency", "plan_view"]


def plan_view(plan: Plan) -> RenderableType:
    """The Pareto front, a row a candidate, the chosen one bold; below, what was chosen and what was left out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    table.add_column("recipe")
    for header in ("res.", "N", "ms", "p90 / up to", "top-1" if plan.evaluated else "MMACs"):
        table.add_column(header, justify="right")
    table.add_column("")
    for each in plan.front:
        late = plan.budget_ms is not None and not each.fits(plan.budget_ms)
        style = "bold green" if each == plan.chosen else "dim" if late else None
        worth = words.percent(each.worth, 1) if plan.evaluated else words.mega(each.worth)
        cells = [each.label, each.recipe, str(each.resolution), str(each.tokens)]
        cells += [words.marked(each.latency_ms, each.trust), words.ms(each.late_ms), worth]
        cells += ["extrapolated" if each.extrapolated else "predicted" if each.predicted else ""]
        table.add_row(*cells, style=style)
    rest = len(plan.candidates) - len(plan.front)
    what = "more accurate" if plan.evaluated else "larger"
    lines = [Text(f"Left out: {rest} of {len(plan.candidates)} that are slower and no {what}.")] if rest else []
    if reason := Trust.of_all(each.trust for each in plan.front).reason:
        lines.append(Text(f"{reason}; of a prediction: what it stands on."))
    if any(each.extrapolated for each in plan.front):
        lines.append(Text("Extrapolated: predicted beyond what was measured."))
    lines += [Text(f"Not considered: {note}.") for note in plan.notes]
    lines += [Text(sentence) for sentence in plan.assumed]
    if plan.budget_ms is not None:
        lines.append(Text(f"{choice(plan)}.", style="bold green" if plan.chosen else "bold red"))
    return Group(table, *lines)


def choice(plan: Plan) -> str:
    """What to take within the budget, what it costs and buys, and what speaks against that figure."""
    chosen = plan.chosen
    if chosen is None:
        return f"Nothing fits {plan.budget_ms:g} ms"
    best = "Most accurate" if plan.evaluated else "Largest"
    worth = f", top-1 {words.percent(chosen.worth, 1)}" if plan.evaluated else ""
    recipe = f" in {chosen.recipe}" if len({each.recipe for each in plan.candidates}) > 1 else ""
    where = f"{chosen.label}{recipe} at {chosen.resolution}"
    reason = f"; {chosen.trust.reason}" if chosen.trust.reason else ""
    return f"{best} within {plan.budget_ms:g} ms: {where} ({latency(chosen)}{worth}){reason}"


def latency(each: Candidate) -> str:
    """`11.2 ms median, p90 12.3 ms`, or what is predicted."""
    typical = words.marked(each.latency_ms, each.trust)
    if each.predicted:
        how = "extrapolated" if each.extrapolated else "predicted"
        return f"{typical} ms {how}, up to {words.ms(each.late_ms)} ms"
    return f"{typical} ms median, p90 {words.ms(each.late_ms)} ms"
