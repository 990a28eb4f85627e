"""The report: one HTML file that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib import resources
from math import inf
from typing import Any

from edgevit.errors import EdgeViTError
from edgevit.latency.comparison import Comparison, apart, device_names
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.profile import Profile
from edgevit.latency.recommendation import Choice
from edgevit.report.accuracies import Accuracies
from edgevit.report.candidates import make_plans, profiled
from edgevit.report.charts.canvas import DARK, ROLES
from edgevit.report.charts.curve_charts import accuracy_figure
from edgevit.report.charts.overlay_charts import latency_overlay, memory_figure
from edgevit.report.charts.plan_chart import plan_figure
from edgevit.report.charts.precision_chart import MOST_CURVES, precision_figure
from edgevit.report.charts.responsive_chart import picture
from edgevit.report.html.accuracy_tables import by_class, comparison
from edgevit.report.html.headline import device_headline, profile_row
from edgevit.report.html.interactive import script_hash, script_text, state
from edgevit.report.html.profile_section import section
from edgevit.report.precision_curves import PrecisionCurves
from edgevit.report.text import formatting, marks, sentences
from edgevit.report.text.comparison_table import ratio
from edgevit_runtime.wording import counted

__all__ = ["device_plans", "recommendations", "render"]


def render(profiles: Profile | Sequence[Profile], accuracies: Accuracies, *, title: str | None = None) -> str:
    """The report of a profile or several: what to take within their budget, what it costs, and what it buys."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    given = (profiles,) if isinstance(profiles, Profile) else profiles
    together = Comparison(tuple(one for profile in given for one in apart(profile)))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source)
    )
    environment.filters.update(ms=formatting.ms, percent=formatting.percent, counted=counted, capitalised=_capitalised)
    first, several = together.profiles[0], len(together.profiles) > 1
    budget_ms = _budget(together.profiles)
    own, plans = _plans(together, accuracies)
    cards = [_card(plan, several) for plan in plans]
    # One profile's table shows what its card says; each of several has a plan of its own, and a row.
    marked = own if several else plans[:1]
    sections = [
        section(index, label, profile, accuracies, plan.choice)
        for index, (label, profile, plan) in enumerate(zip(together.labels, together.profiles, marked, strict=True))
    ]
    overlay = _overlay(together) if several else None
    drawn = [*sections, *cards, *([overlay] if overlay else [])]
    charts = {name: chart for each in drawn for name, chart in each["charts"].items()}
    choice = None if several else plans[0].choice
    return environment.get_template("report.html.jinja").render(
        title=title or (_title(together) if several else f"{sentences.artefact(first)} on {first.place}"),
        several=several,
        banner=[*_banner(together), *_unjoined(together.profiles, accuracies)],
        cards=cards,
        take=f"to take within {budget_ms:g} ms" if budget_ms is not None else "to take",
        rows=[_row(*each) for each in zip(together.labels, together.profiles, own, strict=True)] if several else [],
        sections=sections,
        light=ROLES,
        dark=DARK,
        overlay=overlay,
        memory=_memory(first) if not several else None,
        memory_svg=_memory_svg(together) if several else None,
        accuracy_svg=_accuracy_svg(together.profiles, accuracies, choice) if accuracies.series else None,
        metric=accuracies.metric,
        judged_by=accuracies.judged_by,
        comparisons=[comparison(each, together.profiles, accuracies) for each in accuracies.agreements],
        by_class=by_class(together.profiles, accuracies),
        precision=[_precision(number, each) for number, each in enumerate(accuracies.precision) if each.classes],
        evaluated=[(accuracies.label(each, *together.profiles), each) for each in accuracies.series],
        mistakes=accuracies.mistakes,
        worst=accuracies.worst,
        script=script_text(),
        script_hash=script_hash(),
        state=state(together, charts, plans, marked, budget_ms),
        edgevit=first.edgevit,
    )


def recommendations(profiles: Sequence[Profile], accuracies: Accuracies) -> list[str]:
    """The page's headlines, a line a device; none where there is neither a budget nor an evaluation."""
    _, plans = _plans(Comparison(tuple(one for profile in profiles for one in apart(profile))), accuracies)
    lines = []
    for plan in plans:
        if plan.choice is not None:
            said = device_headline(plan, plan.choice, f"{plan.budget_ms:g} ms")
            what = said.what if plan.chosen is None else f"{said.big} {said.what}"
            lines.append(" ".join([*([f"{plan.device}:"] if plan.several else []), f"{what}.", *said.notes]))
    return lines


def _plans(together: Comparison, accuracies: Accuracies) -> tuple[list[Plan], list[Plan]]:
    """Of each profile alone, and of each device; of one profile that has no device's plan its own stands for it."""
    own = [_own_plan(label, each, accuracies) for label, each in zip(together.labels, together.profiles, strict=True)]
    plans = [_unlimited(each) for each in device_plans(together.profiles, accuracies, _budget(together.profiles))]
    return own, plans or ([] if len(own) > 1 else own)


def device_plans(profiles: Sequence[Profile], accuracies: Accuracies, budget_ms: float | None) -> list[Plan]:
    """What to take on each device; none where the evaluations cannot be held against each other."""
    try:
        return list(make_plans(profiles, accuracies, budget_ms))
    except EdgeViTError:
        return []


def _budget(profiles: Sequence[Profile]) -> float | None:
    """The budget that all profiles have, if they have one."""
    budgets = {each.recommendation.budget_ms for each in profiles if each.recommendation}
    return budgets.pop() if len(budgets) == 1 else None


def _own_plan(label: str, profile: Profile, accuracies: Accuracies) -> Plan:
    """What to take of one profile alone, within its own budget."""
    series = accuracies.of(profile)
    found = profiled(label, profile, series) or profiled(label, profile, None)
    return _unlimited(Plan(tuple(found), profile.recommendation.budget_ms if profile.recommendation else None))


def _unlimited(plan: Plan) -> Plan:
    """With what to take where time does not matter, where there is no budget: the fastest that is as accurate as any.

    Without an evaluation that would be the largest, which is no news.
    """
    return replace(plan, budget_ms=inf) if plan.budget_ms is None and plan.evaluated else plan


def _card(plan: Plan, several: bool) -> dict[str, Any]:
    """What to take on a device, and accuracy over latency, where there is an accuracy."""
    within = "" if plan.budget_ms is None else f"{plan.budget_ms:g} ms"
    name = f"plan{_number(plan)}"
    drawn = None
    if plan.metric:
        draw = partial(plan_figure, plan)
        drawn = picture(draw, name=name, description=f"{plan.metric.title} over latency{plan.where}", across=True)
    return {
        "plan": plan,
        "headline": device_headline(plan, plan.choice, within),
        "hidden": plan.choice is None and several,
        "where": plan.where,
        "svg": drawn.svg if drawn else None,
        "charts": drawn.charts if drawn else {},
    }


def _number(plan: Plan) -> str:
    return "" if not plan.several else "-" + "".join(each if each.isalnum() else "-" for each in plan.device)


def _capitalised(title: str) -> str:
    """`Top-1 accuracy`; `mIoU` stays as it is written."""
    return title if title[:2].isalpha() and title[1].isupper() else title[:1].upper() + title[1:]


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
            mark = marks.of_row(point, profile) if point else ""
            cells.append(("–" if point is None else f"{mark}{formatting.ms(point.median_ms)}", times))
        rows.append((resolution, cells))
    means = [together.ratio(index) for index in range(len(columns))]
    return {
        "svg": drawn.svg,
        "charts": drawn.charts,
        "columns": columns,
        "rows": rows,
        "sizes": [formatting.size(each.size_bytes) for each in together.profiles]
        if any(each.size_bytes for each in together.profiles)
        else [],
        "means": ["" if index == 0 else "–" if mean is None else f"{mean:.2f}" for index, mean in enumerate(means)],
    }


def _row(label: str, profile: Profile, plan: Plan) -> dict[str, Any]:
    """One of several profiles: what to take of it alone, its file and its memory."""
    peaks = [each.peak_rss_bytes for each in profile.points if each.peak_rss_bytes]
    row = profile_row(plan, plan.choice)
    return {"label": label, "row": row, "size": formatting.size(profile.size_bytes), "peak": _megabytes(peaks)}


def _megabytes(peaks: Sequence[int]) -> str:
    return formatting.mega(max(peaks)) if peaks else "–"


def _banner(together: Comparison) -> list[str]:
    """Why figures are doubtful, once for the whole page; with the profile's name where there are several."""
    lines: dict[str, list[str]] = {}
    for label, profile in zip(together.labels, together.profiles, strict=True):
        unsettled = marks.unstable(profile)
        for line in [*marks.doubts(profile), *([unsettled] if unsettled else [])]:
            lines.setdefault(line, []).append(label)
    everywhere = len(together.profiles)
    return [line if len(of) == everywhere else f"{', '.join(of)}: {line}" for line, of in lines.items()]


def _unjoined(profiles: Sequence[Profile], accuracies: Accuracies) -> list[str]:
    """Which profiles no accuracy is known of, and why, where something was evaluated: a wrong file, most likely."""
    return [f"Not joined: {line}" for line in dict.fromkeys(filter(None, map(accuracies.unjoined, profiles)))]


def _memory(profile: Profile) -> str | None:
    """One profile's memory in a sentence: it is in the table, too."""
    peaks = {point.resolution: point.peak_rss_bytes for point in profile.points if point.peak_rss_bytes}
    if not peaks:
        return None
    least, most = min(peaks, key=lambda each: peaks[each]), max(peaks, key=lambda each: peaks[each])
    low, high = formatting.mega(peaks[least]), formatting.mega(peaks[most])
    span = f"{high} MB at every resolution" if low == high else f"{low} MB at {least} to {high} MB at {most}"
    return f"Peak memory of the process, the whole ladder loaded: {span}."


def _memory_svg(together: Comparison) -> str | None:
    if not any(point.peak_rss_bytes for profile in together.profiles for point in profile.points):
        return None
    described = "Peak memory over resolution"
    return picture(partial(memory_figure, together), name="memory", description=described).svg


def _accuracy_svg(profiles: Sequence[Profile], accuracies: Accuracies, choice: Choice[Candidate] | None) -> str:
    described = f"{accuracies.metric.title} over resolution"
    draw = partial(accuracy_figure, profiles, accuracies, choice=choice)
    return picture(draw, name="accuracy", description=described).svg


def _precision(number: int, found: PrecisionCurves) -> dict[str, Any]:
    described = f"Precision over recall of {found.model} at {found.resolution}"
    svg = picture(partial(precision_figure, found), name=f"precision{number}", description=described).svg
    return {"found": found, "svg": svg, "left_out": max(0, len(found.classes) - MOST_CURVES)}
