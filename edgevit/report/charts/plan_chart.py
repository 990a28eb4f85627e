"""The plan's picture: accuracy over latency, and the front."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from math import isinf
from typing import TYPE_CHECKING

from edgevit.latency.plan import Candidate, Plan
from edgevit.picture_record import Accuracy
from edgevit.report.charts.accuracy_axis import bars, span_accuracies, title
from edgevit.report.charts.canvas import ROLES, SERIES, WIDE, drawable, frame, legend, state_role, style
from edgevit.report.text import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_plan", "plan_figure"]


def plan_figure(plan: Plan, width: float = WIDE) -> Figure:
    """The metric with its 95 % interval (or MACs) over latency, logarithmic, `width` inches wide.

    Each model's resolutions from median to p95, the front as steps, the budget, and what to take within it.
    What is marked is hollow, and so is what was predicted, with the range that it is believed in.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, 4.7), layout="constrained")
        draw_plan(figure.add_subplot(), plan)
    return figure


def draw_plan(axes: Axes, plan: Plan) -> None:
    """The same onto axes that are there."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    scale, found = 100.0 if plan.evaluated else 1e-6, _accuracies(plan.candidates)
    frame(
        axes,
        "latency, ms (logarithmic; bars: to p95)",
        title(found[0].metric, found) if found else "MMACs (logarithmic)",
    )
    axes.set_xscale("log")
    if plan.evaluated:
        span_accuracies(axes, found)
    else:
        axes.set_yscale("log")
    series = list(dict.fromkeys((each.label, each.recipe) for each in plan.candidates))
    if len(series) > 1:
        across = [each.latency_ms for each in plan.front]
        axes.step(
            [*across, 1.25 * max(each.late_ms for each in plan.candidates)],
            [scale * each.worth for each in (*plan.front, plan.front[-1])],
            where="post",
            color=ROLES["rule"],
            linewidth=4.0,
            label="the front: nothing is as fast and better",
            zorder=1,
        )
    recipes = len({recipe for _, recipe in series}) > 1
    for index, (label, recipe) in enumerate(series):
        role, marker, line = SERIES[index % len(SERIES)]
        name, named = f"{label} · {recipe}" if recipes else label, False
        own = sorted(
            (each for each in plan.candidates if (each.label, each.recipe) == (label, recipe)),
            key=lambda each: each.resolution,
        )
        axes.plot(
            [each.latency_ms for each in own],
            [scale * each.worth for each in own],
            color=ROLES[role],
            linestyle=line,
            linewidth=1.0,
            alpha=0.6,
            zorder=1.5,
        )
        for predicted, marked in product((False, True), repeat=2):
            points = [each for each in own if (each.predicted, bool(each.trust.mark)) == (predicted, marked)]
            if not points:
                continue
            late = [each.late_ms - each.latency_ms for each in points]
            axes.errorbar(
                [each.latency_ms for each in points],
                [scale * each.worth for each in points],
                xerr=(late if predicted else [0.0] * len(late), late),
                yerr=bars(_accuracies(points)) if plan.evaluated else None,
                fmt=marker,
                color=ROLES[role],
                markersize=6.5,
                markerfacecolor=ROLES["paper" if predicted or marked else role],
                elinewidth=1.0,
                capsize=2.0,
                label=None if named else drawable(f"{name} (predicted)" if predicted else name),
            )
            named = True
    if hollow := marks.short_marks(plan.candidates):
        axes.plot(
            [],
            [],
            "o",
            markersize=6.5,
            markerfacecolor=ROLES["paper"],
            markeredgecolor=ROLES["ink"],
            label=hollow,
        )
    _name_front(axes, plan, scale)
    if plan.budget_ms is not None and not isinf(plan.budget_ms):
        axes.axvline(
            plan.budget_ms,
            color=ROLES["budget"],
            linewidth=1.3,
            linestyle=(0, (5, 3)),
            label=f"budget {plan.budget_ms:g} ms",
            gid="budget-line",
        )
    if plan.choice and plan.chosen:
        what = str(plan.chosen.resolution) if len(series) == 1 else f"{plan.chosen.label} at {plan.chosen.resolution}"
        axes.plot(
            [plan.chosen.latency_ms],
            [scale * plan.chosen.worth],
            "o",
            markersize=14,
            markerfacecolor="none",
            markeredgecolor=ROLES[state_role(plan.choice.state)],
            markeredgewidth=2.0,
            label=drawable(f"to take: {what}"),
            gid="budget-mark",
        )
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08, y=0.12)
    legend(axes, "best")


def _accuracies(candidates: Iterable[Candidate]) -> list[Accuracy]:
    return [each.accuracy for each in candidates if each.accuracy is not None]


def _name_front(axes: Axes, plan: Plan, scale: float) -> None:
    """The resolutions that the table shows, or of one evaluated artefact all; below the points, where there is room."""
    alone = len({(each.label, each.recipe) for each in plan.candidates}) == 1
    shown = plan.candidates if alone and plan.evaluated else plan.shown
    for each in shown:
        axes.annotate(
            str(each.resolution),
            (each.latency_ms, scale * each.worth),
            xytext=(4, -10),
            textcoords="offset points",
            ha="left",
            color=ROLES["muted"],
            fontsize=8.5,
        )
