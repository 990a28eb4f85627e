"""The plan's picture: accuracy over latency, and the front."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from edgevit.latency.plan import Plan
from edgevit.report.charts.canvas import ROLES, SERIES, WIDE, drawable, frame, legend, style
from edgevit.report.text import marks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plan_figure"]


def plan_figure(plan: Plan, width: float = WIDE) -> Figure:
    """Top-1 (or MACs) over latency, logarithmic, `width` inches wide.

    Each model's resolutions, the front as steps, the budget.
    What is marked is hollow, and so is what was predicted, with the range that it is believed in.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    scale = 100.0 if plan.evaluated else 1e-6
    with style():
        figure = Figure(figsize=(width, 4.7), layout="constrained")
        axes = figure.add_subplot()
        frame(axes, "latency, ms (logarithmic)", "top-1 accuracy, %" if plan.evaluated else "MMACs (logarithmic)")
        axes.set_xscale("log")
        if not plan.evaluated:
            axes.set_yscale("log")
        across = [each.latency_ms for each in plan.front]
        axes.step(
            [*across, 1.25 * max(each.late_ms for each in plan.candidates)],
            [scale * each.worth for each in (*plan.front, plan.front[-1])],
            where="post",
            color=ROLES["rule"],
            linewidth=4.0,
            label="the front",
            zorder=1,
        )
        series = list(dict.fromkeys((each.label, each.recipe) for each in plan.candidates))
        recipes = len({recipe for _, recipe in series}) > 1
        for index, (label, recipe) in enumerate(series):
            role, marker, _ = SERIES[index % len(SERIES)]
            name, named = f"{label} · {recipe}" if recipes else label, False
            for predicted, marked in product((False, True), repeat=2):
                points = [
                    each
                    for each in plan.candidates
                    if (each.label, each.recipe, each.predicted, bool(each.trust.mark))
                    == (label, recipe, predicted, marked)
                ]
                if not points:
                    continue
                across, up = [each.latency_ms for each in points], [scale * each.worth for each in points]
                late = [each.late_ms - each.latency_ms for each in points]
                axes.errorbar(
                    across,
                    up,
                    xerr=(late, late) if predicted else None,
                    fmt=marker,
                    color=ROLES[role],
                    markersize=6.5,
                    markerfacecolor=ROLES["paper" if predicted or marked else role],
                    elinewidth=1.0,
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
        for each in plan.front:
            axes.annotate(
                str(each.resolution),
                (each.latency_ms, scale * each.worth),
                xytext=(-4, 5),
                textcoords="offset points",
                ha="right",
                color=ROLES["muted"],
                fontsize=8.5,
            )
        if plan.budget_ms is not None:
            dashed = (0, (5, 3))
            axes.axvline(
                plan.budget_ms,
                color=ROLES["budget"],
                linewidth=1.3,
                linestyle=dashed,
                label="budget",
                gid="budget-line",
            )
        if plan.chosen:
            axes.plot(
                [plan.chosen.latency_ms],
                [scale * plan.chosen.worth],
                "o",
                markersize=14,
                markerfacecolor="none",
                markeredgecolor=ROLES["pick"],
                markeredgewidth=2.0,
                label=drawable(f"chosen: {plan.chosen.label} at {plan.chosen.resolution}"),
                gid="budget-mark",
            )
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.08, y=0.12)
        legend(axes, "best")
    return figure
