"""The pictures: latency over tokens with its linear and quadratic parts, and accuracy over resolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from edgevit.latency.curve import Curve
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.latency.recommendation import Choice
from edgevit.report.accuracies import Accuracies
from edgevit.report.charts.accuracy_axis import bars, span_accuracies, title
from edgevit.report.charts.canvas import ROLES, WIDE, drawable, frame, legend, state_role, style
from edgevit.report.charts.plan_chart import draw_plan
from edgevit.report.charts.resolution_axis import across, axis_title, name_resolutions, named_ticks
from edgevit.report.text import formatting, marks, sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["accuracy_figure", "combined_figure", "curve_figure", "taken_point"]

_HEIGHT = 4.7  # inches, one panel
_OTHERS = (("other", "o", "--"), ("linear", "D", "-."), ("quadratic", "^", ":"), ("budget", "v", "--"))
_DASHES, _DOTS = (0, (5, 3)), (0, (1, 2))


def curve_figure(profile: Profile, width: float = WIDE, choice: Choice[Candidate] | None = None) -> Figure:
    """Latency over tokens, `width` inches wide; choice: what to take, where it is of this profile."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
        _draw_curve(figure.add_subplot(), profile, choice)
    return figure


def accuracy_figure(
    profiles: Sequence[Profile],
    accuracies: Accuracies,
    width: float = WIDE,
    choice: Choice[Candidate] | None = None,
) -> Figure:
    """The task's metric over resolution with its 95 % intervals, a line for each model.

    choice: what to take, where it is of one profile.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, 0.75 * _HEIGHT), layout="constrained")
        _draw_accuracy(figure.add_subplot(), profiles, accuracies, choice)
    return figure


def combined_figure(profile: Profile, accuracies: Accuracies, plan: Plan | None = None) -> Figure:
    """Latency, and beside it accuracy over latency (`plan`), under a line that says of what.

    Accuracy over resolution where the profiled artefact was not evaluated; latency alone where nothing was.
    """
    from matplotlib.figure import Figure

    panels = 2 if accuracies.series else 1
    choice = plan.choice if plan else None
    with style():
        figure = Figure(figsize=((1.72 if panels == 2 else 1.0) * WIDE, _HEIGHT + 0.35), layout="constrained")
        heading = fill(drawable(sentences.subject(profile)), 140 if panels == 2 else 78)
        figure.suptitle(heading, x=0.012, ha="left", color=ROLES["ink"], fontsize=10.5, weight="bold")
        grid = figure.add_gridspec(1, panels, width_ratios=(1.25, 1.0)[:panels], wspace=0.06)
        _draw_curve(figure.add_subplot(grid[0]), profile, choice)
        if panels == 2 and plan is not None and plan.evaluated:
            draw_plan(figure.add_subplot(grid[1]), plan)
        elif panels == 2:
            _draw_accuracy(figure.add_subplot(grid[1]), (profile,), accuracies, choice)
    return figure


def _draw_curve(axes: Axes, profile: Profile, choice: Choice[Candidate] | None) -> None:
    """Measured (or estimated) points over the fitted curve's parts a, b·N and c·N²; tokens below, resolutions above."""
    points = profile.points
    tokens, median = [point.tokens for point in points], [point.median_ms for point in points]
    right, top = 1.05 * max(tokens), 1.12 * max(point.p90_ms for point in points)
    frame(axes, "tokens N", "latency, ms")
    if profile.curve:
        _draw_parts(axes, profile, profile.curve, right)
        _mark_crossover(axes, profile.curve, profile.patch, right)
    axes.errorbar(
        tokens,
        median,
        yerr=(
            [point.median_ms - point.p10_ms for point in points],
            [point.p90_ms - point.median_ms for point in points],
        ),
        fmt="o",
        color=ROLES["ink"],
        markersize=5.5,
        markeredgecolor=ROLES["paper"],
        markeredgewidth=0.8,
        elinewidth=1.2,
        capsize=2.5,
        label=None if profile.estimate else f"measured: median, {marks.spread(points)}",
        zorder=5,
    )
    if marked := [point for point in points if not point.trusted]:
        axes.plot(
            [point.tokens for point in marked],
            [point.median_ms for point in marked],
            "o",
            markersize=5.5,
            markerfacecolor=ROLES["paper"],
            markeredgecolor=ROLES["ink"],
            zorder=5.5,
            label=marks.short_marks(marked),
        )
    _mark_budget(axes, profile, top, choice)
    axes.set_xlim(0.0, right)
    axes.set_ylim(0.0, top)
    _resolutions_above(axes, profile)
    legend(axes, "upper left", first="≈" if profile.estimate else "measured")


def _draw_parts(axes: Axes, profile: Profile, curve: Curve, right: float) -> None:
    tokens = np.linspace(0.0, right, 240)
    constant = np.full_like(tokens, curve.a_ms)
    linear = constant + curve.b_ms_per_token * tokens
    whole = linear + curve.c_ms_per_token2 * tokens**2
    axes.plot(tokens, whole, color=ROLES["quadratic"], linewidth=1.8, label=sentences.equation(curve))
    axes.plot(tokens, linear, color=ROLES["linear"], linewidth=1.0)
    for role, low, high, label in (
        ("quadratic", linear, whole, "c·N²: pairs of tokens (attention)"),
        ("linear", constant, linear, "b·N: token by token (linear layers, norms, GELU)"),
        ("constant", np.zeros_like(tokens), constant, "a: once a picture"),
    ):
        axes.fill_between(tokens, low, high, color=ROLES[role], alpha=0.3, linewidth=0, label=label)


def _mark_crossover(axes: Axes, curve: Curve, patch: int, right: float) -> None:
    crossing, resolution = curve.crossover_tokens, curve.crossover_resolution(patch)
    if crossing is None or resolution is None or crossing >= right:
        return
    height = curve.predict(crossing)
    late = crossing > 0.6 * right  # then the text stands before the line, so that it stays inside
    axes.plot([crossing, crossing], [0.0, height], color=ROLES["ink"], linewidth=1.0, linestyle=_DOTS)
    axes.annotate(
        f"b·N = c·N² at N = {crossing:.0f} (a square of {resolution:.0f})",
        (crossing, 0.0),
        xytext=(-5 if late else 5, 4),
        textcoords="offset points",
        color=ROLES["ink"],
        fontsize=8.5,
        ha="right" if late else "left",
        va="bottom",
    )


def _mark_budget(axes: Axes, profile: Profile, top: float, choice: Choice[Candidate] | None) -> None:
    if choice is None:
        return
    if choice.budget_ms < top:
        left = choice.budget_ms < 0.5 * top  # there the curve is low; above, the legend has that place
        axes.axhline(choice.budget_ms, color=ROLES["budget"], linewidth=1.3, linestyle=_DASHES, gid="budget-line")
        axes.annotate(
            f"budget {choice.budget_ms:g} ms",
            (0.0 if left else 1.0, choice.budget_ms),
            xycoords=("axes fraction", "data"),
            xytext=(5 if left else -5, 3),
            textcoords="offset points",
            ha="left" if left else "right",
            va="bottom",
            color=ROLES["budget"],
            fontsize=9,
            gid="budget-text",
        )
    point = taken_point(profile, choice)
    if point:
        axes.plot(
            [point.tokens],
            [point.median_ms],
            "o",
            markersize=12,
            markerfacecolor="none",
            markeredgecolor=ROLES[state_role(choice.state)],
            markeredgewidth=2.0,
            zorder=6,
            gid="budget-mark",
            label=f"{_why(choice)}: {point.resolution}, {formatting.ms(point.median_ms)} ms",
        )


def _why(choice: Choice[Candidate]) -> str:
    return "as accurate as any" if isinf(choice.budget_ms) else f"to take within {choice.budget_ms:g} ms"


def taken_point(profile: Profile, choice: Choice[Candidate]) -> Point | None:
    """The profile's point that is to be taken; None where that is of another one, or predicted."""
    taken = choice.taken
    if (
        taken is None
        or taken.predicted
        or (taken.model, taken.threads, taken.accelerator)
        != (
            profile.model,
            profile.threads,
            profile.accelerator,
        )
    ):
        return None
    return profile.point(taken.resolution)


def _resolutions_above(axes: Axes, profile: Profile) -> None:
    """The measured resolutions on the upper edge; names that would touch are left out, the ends are kept."""
    above = axes.secondary_xaxis("top")
    places: dict[int, list[str]] = {}
    for point in profile.points:
        places.setdefault(point.tokens, []).append(str(point.resolution))
    names = ["\n".join(each) for each in places.values()]
    named = named_ticks(list(places), names, axes)
    above.set_xticks(list(places), [name if index in named else "" for index, name in enumerate(names)])
    above.set_xlabel("resolution, pixels", color=ROLES["muted"])
    above.tick_params(color=ROLES["muted"], labelcolor=ROLES["muted"], labelsize=8.5, length=3)
    above.spines["top"].set_visible(False)


def _draw_accuracy(
    axes: Axes, profiles: Sequence[Profile], accuracies: Accuracies, choice: Choice[Candidate] | None
) -> None:
    scores = [score for series in accuracies.series for score in series.scores]
    shown = [each for series in accuracies.series for each in series.accuracies]
    frame(axes, axis_title(score.resolution for score in scores), title(accuracies.metric, shown))
    artefact = accuracies.of(profiles[0])
    others = 0
    # The artefact last and solid, the others hollow and larger: where two agree, both are seen.
    for series in sorted(accuracies.series, key=lambda each: each == artefact):
        role, marker, line, size, inside = "ink", "s", "-", 4.5, "ink"
        if series != artefact:
            (role, marker, line), size, inside = _OTHERS[others % len(_OTHERS)], 8.0, "paper"
            others += 1
        axes.errorbar(
            [across(score.resolution) for score in series.scores],
            [100.0 * score.share for score in series.scores],
            yerr=bars(series.accuracies) if series == artefact or artefact is None else None,
            marker=marker,
            linestyle=line,
            color=ROLES[role],
            markersize=size,
            markerfacecolor=ROLES[inside],
            linewidth=1.5,
            elinewidth=1.0,
            capsize=2.5,
            label=drawable(accuracies.label(series, *profiles)),
        )
    span_accuracies(axes, shown)
    name_resolutions(axes, (score.resolution for score in scores))
    point = taken_point(profiles[0], choice) if choice else None
    if choice and point:
        place = across(point.resolution)
        role = state_role(choice.state)
        axes.axvline(place, color=ROLES[role], linewidth=1.3, linestyle=_DOTS, zorder=0, gid="budget-line")
        axes.annotate(
            _why(choice),
            (place, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 6),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            color=ROLES[role],
            fontsize=8.5,
            gid="budget-text",
        )
    legend(axes, "best")
