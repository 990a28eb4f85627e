"""A plan in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.reliability import Reliability
from edgevit.report.text import formatting, marks
from edgevit.report.text.choice_sentences import STYLES, grounds, latency, more_pictures, worth
from edgevit.report.text.column_widths import Shortened

__all__ = ["namer", "plan_view", "take"]


def plan_view(plans: Sequence[Plan]) -> RenderableType:
    """Each device's front and what its sentence names, the chosen one bold; below, what was chosen and left out."""
    several, metric = len(plans) > 1, plans[0].metric
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    if several:
        table.add_column("device")
    table.add_column("model")
    table.add_column("recipe", no_wrap=True)
    sized = any(each.size_bytes for plan in plans for each in plan.shown)
    shown = [each for plan in plans for each in plan.shown]
    numbers = ["res.", "N", "ms", _late_names(shown), metric.heading if metric else "MMACs"] + ["MB"] * sized
    for header in numbers:
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("")
    for plan in plans:
        for each in plan.shown:
            late = plan.budget_ms is not None and not each.fits(plan.budget_ms)
            taken = plan.choice if plan.choice and each is plan.chosen else None
            style = STYLES[taken.state] if taken else "dim" if late else None
            table.add_row(*[Shortened(plan.device)] * several, Shortened(each.label), *_cells(each, sized), style=style)
        table.add_section()
    lines = [line for plan in plans for line in _lines(plan)]
    if reason := Reliability.of_all(each.trust for each in shown).reason:
        stands = "; of a prediction: what it stands on" if any(each.predicted for each in shown) else ""
        lines.insert(0, f"{reason}{stands}.")
    if any(each.extrapolated for each in shown):
        lines.insert(0, "Extrapolated: predicted beyond what was measured.")
    lines.insert(0, _late_column(shown))
    chosen = [Text(f"{take(plan)}.", style=STYLES[plan.choice.state]) for plan in plans if plan.choice]
    return Group(table, *map(Text, dict.fromkeys(lines)), *chosen)


def _cells(each: Candidate, sized: bool) -> list[str]:
    """All but device and model; `sized`: with the file's MB."""
    worth = formatting.mega(each.worth) if each.accuracy is None else formatting.accuracy(each.accuracy)
    cells = [each.recipe, str(each.resolution), str(each.tokens)]
    cells += [marks.marked(each.latency_ms, each.trust), formatting.ms(each.late_ms), worth]
    cells += [formatting.size(each.size_bytes)] * sized
    return [*cells, "extrapolated" if each.extrapolated else "predicted" if each.predicted else ""]


_LONGER = {"p95": "of 20 runs one takes longer", "p90": "of 10 runs one takes longer"}


def _late_names(shown: Sequence[Candidate]) -> str:
    """`p95 / up to`, or which percentiles there are: profiles of before have p90 alone."""
    return " / ".join([*sorted({each.late_name for each in shown if not each.predicted}, reverse=True), "up to"])


def _late_column(shown: Sequence[Candidate]) -> str:
    """What that column holds, by which a budget goes."""
    names = sorted({each.late_name for each in shown if not each.predicted}, reverse=True)
    told = [f"{name}: {_LONGER.get(name, 'few runs take longer')}" for name in names]
    told += ["up to: what a prediction may be"] if any(each.predicted for each in shown) else []
    return f"{'; '.join(told)}. A budget goes by that, not by the median alone."


def _lines(plan: Plan) -> list[str]:
    """What was left out, why, and what predictions stand on."""
    rest = len(plan.candidates) - len(plan.shown)
    what = "more accurate" if plan.evaluated else "larger"
    lines = [f"Left out: {rest} of {len(plan.candidates)} that are slower and no {what}."] if rest else []
    lines += [f"Not considered: {note}." for note in plan.notes]
    return [*lines, *plan.assumed]


def take(plan: Plan) -> str:
    """What to take within the plan's budget, what it costs and buys, and why it is that."""
    found = plan.choice
    assert found is not None
    within = f"within {found.budget_ms:g} ms{plan.where}"
    if found.taken is None:
        return f"Nothing fits {found.budget_ms:g} ms{plan.where}"
    name, each = namer(plan), found.taken
    bought = f", {worth(each)}" if worth(each) else ""
    needed = f"; {few}" if (few := more_pictures(found, name)) else ""
    costs = f"Take {name(each)} {within}: {latency(each, extrapolated=each.extrapolated)}{bought}{needed}"
    return ". ".join([costs, *grounds(found, name)])


def namer(plan: Plan) -> Callable[[Candidate], str]:
    """What to call a plan's candidates: `x.tflite at 224`, with the recipe where those differ."""
    recipes = len({each.recipe for each in plan.candidates}) > 1
    return lambda each: f"{each.label}{f' in {each.recipe}' if recipes else ''} at {each.resolution}"
