"""The report: one HTML file that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import resources
from typing import Any

from edgevit.errors import EdgeViTError
from edgevit.latency.comparison import Comparison, apart, device_names
from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies, Agreement
from edgevit.report.candidates import make_plans
from edgevit.report.charts.canvas import DARK, ROLES
from edgevit.report.charts.curve_charts import accuracy_figure
from edgevit.report.charts.overlay_charts import latency_overlay, memory_figure
from edgevit.report.charts.plan_chart import plan_figure
from edgevit.report.charts.responsive_chart import picture
from edgevit.report.html.interactive import script_hash, script_text, state
from edgevit.report.html.profile_section import section
from edgevit.report.text import formatting, marks, sentences
from edgevit.report.text.comparison_table import ratio
from edgevit.report.text.plan_table import choice
from edgevit_runtime.wording import counted

__all__ = ["render"]


def render(profiles: Profile | Sequence[Profile], accuracies: Accuracies, *, title: str | None = None) -> str:
    """The report of a profile or several, each with its recommendation where it has one, and of what was evaluated."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    given = (profiles,) if isinstance(profiles, Profile) else profiles
    together = Comparison(tuple(one for profile in given for one in apart(profile)))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source)
    )
    environment.filters.update(ms=formatting.ms, percent=formatting.percent, counted=counted)
    first, several = together.profiles[0], len(together.profiles) > 1
    sections = [
        section(index, label, profile, accuracies)
        for index, (label, profile) in enumerate(zip(together.labels, together.profiles, strict=True))
    ]
    overlay = _overlay(together) if several else None
    plans = _plans(together.profiles, accuracies) if several and accuracies.series else []
    drawn = [*sections, *plans, *([overlay] if overlay else [])]
    charts = {name: chart for each in drawn for name, chart in each["charts"].items()}
    return environment.get_template("report.html.jinja").render(
        title=title or (_title(together) if several else f"{sentences.artefact(first)} on {first.place}"),
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
    return resources.files("edgevit.report.html").joinpath(name).read_text(encoding="utf-8")


def _title(together: Comparison) -> str:
    """What the profiles have in common, or else how many there are."""
    several = f"{len(together.profiles)} profiles"
    artefacts = {sentences.artefact(each) for each in together.profiles}
    places = {each.place for each in together.profiles}
    if len(artefacts) == 1:
        return f"{several} of {artefacts.pop()}"
    if len(places) > 1:
        return several
    devices = dict.fromkeys(device_names(together.profiles))
    return f"{several} of {places.pop()}" + (f": {', '.join(devices)}" if len(devices) > 1 else "")


def _overlay(together: Comparison) -> dict[str, Any]:
    """The profiles side by side: their curves in one picture, and medians with ratios to the first."""
    columns = list(together.labels)
    described = f"Latency over resolution of {', '.join(columns)}"
    drawn = picture(partial(latency_overlay, together), name="together", description=described)
    rows = []
    for resolution in together.resolutions:
        cells = []
        for index, profile in enumerate(together.profiles):
            point = profile.point(resolution)
            times = ratio(together, index, resolution) if index and together.at(index, resolution) else ""
            cells.append(("–" if point is None else f"{point.trust.mark}{formatting.ms(point.median_ms)}", times))
        rows.append((resolution, cells))
    means = [together.ratio(index) for index in range(len(columns))]
    return {
        "marks": marks.marks(each for profile in together.profiles for each in profile.points),
        "svg": drawn.svg,
        "charts": drawn.charts,
        "columns": columns,
        "rows": rows,
        "sizes": [formatting.size(each.size_bytes) for each in together.profiles]
        if any(each.size_bytes for each in together.profiles)
        else [],
        "means": ["" if index == 0 else "–" if mean is None else f"{mean:.2f}" for index, mean in enumerate(means)],
    }


def _memory_svg(together: Comparison) -> str | None:
    if not any(point.peak_rss_bytes for profile in together.profiles for point in profile.points):
        return None
    described = "Peak memory over resolution"
    return picture(partial(memory_figure, together), name="memory", description=described).svg


def _plans(profiles: Sequence[Profile], accuracies: Accuracies) -> list[dict[str, Any]]:
    """Each device's Pareto front; none where the evaluations cannot be held against each other."""
    budgets = {each.recommendation.budget_ms for each in profiles if each.recommendation}
    try:
        plans = make_plans(profiles, accuracies, budgets.pop() if len(budgets) == 1 else None)
    except EdgeViTError:
        return []
    pictures = [
        picture(
            partial(plan_figure, plan),
            name=f"plan{index or ''}",
            description="Top-1 accuracy over latency",
            across=True,
        )
        for index, plan in enumerate(plans)
    ]
    return [
        {
            "plan": plan,
            "where": plan.where,
            "svg": drawn.svg,
            "charts": drawn.charts,
            "choice": choice(plan) if plan.budget_ms is not None else None,
            "notes": plan.notes,
            "assumed": plan.assumed,
        }
        for plan, drawn in zip(plans, pictures, strict=True)
    ]


def _accuracy_svg(profiles: Sequence[Profile], accuracies: Accuracies) -> str:
    described = "Top-1 accuracy over resolution"
    return picture(partial(accuracy_figure, profiles, accuracies), name="accuracy", description=described).svg


def _comparison(each: Agreement, profiles: Sequence[Profile], accuracies: Accuracies) -> dict[str, Any]:
    """Two models side by side: what the second loses in points, top-1 of each, and how often they agree."""
    agreement, ends = dict(each.by_resolution), {resolution: (low, high) for resolution, low, high in each.drops}
    rows = []
    for score in each.model.scores:
        other = each.against.top1(score.resolution)
        if other is not None:
            points = formatting.lost(score.top1 - other, ends.get(score.resolution))
            agrees = agreement.get(score.resolution)
            share = "–" if agrees is None else formatting.percent(agrees, 1)
            theirs, own = formatting.top1(other, each.against.images), formatting.top1(score.top1, each.model.images)
            rows.append((score.resolution, points, theirs, own, share))
    return {
        "model": accuracies.label(each.model, *profiles),
        "against": accuracies.label(each.against, *profiles),
        "series": each.model,
        "interval": bool(ends),
        "rows": rows,
    }
