"""The report: one HTML file that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

from edgevit.errors import EdgeViTError
from edgevit.latency.comparison import Comparison, apart, device_names
from edgevit.latency.profile import Profile
from edgevit.report import words
from edgevit.report.accuracy import Accuracies, Agreement
from edgevit.report.candidates import make_plans
from edgevit.report.canvas import DARK, ROLES, chart, svg
from edgevit.report.comparison import ratio
from edgevit.report.interactive import script_hash, script_text, state
from edgevit.report.overlay import latency_overlay, memory_figure
from edgevit.report.plan import choice
from edgevit.report.plan_plot import plan_figure
from edgevit.report.plots import accuracy_figure
from edgevit.report.section import section

__all__ = ["render"]


def render(profiles: Profile | Sequence[Profile], accuracies: Accuracies, *, title: str | None = None) -> str:
    """The report of a profile or several, each with its recommendation where it has one, and of what was evaluated."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    given = (profiles,) if isinstance(profiles, Profile) else profiles
    together = Comparison(tuple(one for profile in given for one in apart(profile)))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source)
    )
    environment.filters.update(ms=words.ms, percent=words.percent)
    first, several = together.profiles[0], len(together.profiles) > 1
    sections = [
        section(index, label, profile, accuracies)
        for index, (label, profile) in enumerate(zip(together.labels, together.profiles, strict=True))
    ]
    overlay = _overlay(together) if several else None
    plans = _plans(together.profiles, accuracies) if several and accuracies.series else []
    charts = {each["chart_name"]: each["chart"] for each in sections} | {each["name"]: each["chart"] for each in plans}
    charts |= {"together": overlay["chart"]} if overlay else {}
    return environment.get_template("report.html.jinja").render(
        title=title or (_title(together) if several else f"{words.artefact(first)} on {words.place(first)}"),
        several=several,
        sections=sections,
        light=ROLES,
        dark=DARK,
        overlay=overlay,
        memory_svg=_memory_svg(together),
        accuracy_svg=_accuracy_svg(together.profiles, accuracies) if accuracies.series else None,
        comparisons=[_comparison(each, together.profiles, accuracies) for each in accuracies.agreements],
        unjoined=list(dict.fromkeys(filter(None, map(accuracies.unjoined, together.profiles)))),
        evaluated=[(accuracies.label(each, *together.profiles), each) for each in accuracies.series],
        plans=plans,
        script=script_text(),
        script_hash=script_hash(),
        state=state(together, accuracies, charts, [each["plan"] for each in plans]),
        edgevit=first.edgevit,
    )


def _source(name: str) -> str:
    return resources.files("edgevit.report").joinpath(name).read_text(encoding="utf-8")


def _title(together: Comparison) -> str:
    """What the profiles have in common, or else how many there are."""
    several = f"{len(together.profiles)} profiles"
    artefacts, places = ({fact(each) for each in together.profiles} for fact in (words.artefact, words.place))
    if len(artefacts) == 1:
        return f"{several} of {artefacts.pop()}"
    if len(places) > 1:
        return several
    devices = dict.fromkeys(device_names(together.profiles))
    return f"{several} of {places.pop()}" + (f": {', '.join(devices)}" if len(devices) > 1 else "")


def _overlay(together: Comparison) -> dict[str, Any]:
    """The profiles side by side: their curves in one picture, and medians with ratios to the first."""
    figure = latency_overlay(together)
    columns = list(together.labels)
    rows = []
    for resolution in together.resolutions:
        cells = []
        for index, profile in enumerate(together.profiles):
            point = profile.point(resolution)
            times = ratio(together, index, resolution) if index and together.at(index, resolution) else ""
            cells.append(("–" if point is None else f"{words.mark(point)}{words.ms(point.median_ms)}", times))
        rows.append((resolution, cells))
    means = [together.ratio(index) for index in range(len(columns))]
    return {
        "marks": words.marks(each for profile in together.profiles for each in profile.points),
        "svg": svg(figure, name="together", description=f"Latency over resolution of {', '.join(columns)}"),
        "chart": chart(figure),
        "columns": columns,
        "rows": rows,
        "sizes": [words.size(each.size_bytes) for each in together.profiles]
        if any(each.size_bytes for each in together.profiles)
        else [],
        "means": ["" if index == 0 else "–" if mean is None else f"{mean:.2f}" for index, mean in enumerate(means)],
    }


def _memory_svg(together: Comparison) -> str | None:
    if not any(point.peak_rss_bytes for profile in together.profiles for point in profile.points):
        return None
    return svg(memory_figure(together), name="memory", description="Peak memory over resolution")


def _plans(profiles: Sequence[Profile], accuracies: Accuracies) -> list[dict[str, Any]]:
    """Each device's Pareto front; none where the evaluations cannot be held against each other."""
    budgets = {each.recommendation.budget_ms for each in profiles if each.recommendation}
    try:
        plans = make_plans(profiles, accuracies, budgets.pop() if len(budgets) == 1 else None)
    except EdgeViTError:
        return []
    figures = [plan_figure(plan) for plan in plans]
    names = [f"plan{index or ''}" for index in range(len(plans))]
    return [
        {
            "plan": plan,
            "name": name,
            "where": plan.where,
            "svg": svg(figure, name=name, description="Top-1 accuracy over latency"),
            "chart": chart(figure, across=True),
            "choice": choice(plan) if plan.budget_ms is not None else None,
            "notes": plan.notes,
            "assumed": plan.assumed,
        }
        for plan, figure, name in zip(plans, figures, names, strict=True)
    ]


def _accuracy_svg(profiles: Sequence[Profile], accuracies: Accuracies) -> str:
    return svg(accuracy_figure(profiles, accuracies), name="accuracy", description="Top-1 accuracy over resolution")


def _comparison(each: Agreement, profiles: Sequence[Profile], accuracies: Accuracies) -> dict[str, Any]:
    """Two models side by side: top-1 of each, the difference in points, and how often they agree."""
    agreement = dict(each.by_resolution)
    rows = []
    for score in each.model.scores:
        other = each.against.top1(score.resolution)
        if other is not None:
            points = f"{100 * (score.top1 - other):+.1f}"
            agrees = agreement.get(score.resolution)
            share = "–" if agrees is None else words.percent(agrees, 1)
            theirs, own = words.top1(other, each.against.images), words.top1(score.top1, each.model.images)
            rows.append((score.resolution, theirs, own, points, share))
    return {
        "model": accuracies.label(each.model, *profiles),
        "against": accuracies.label(each.against, *profiles),
        "series": each.model,
        "rows": rows,
    }
