"""The picture of a run without a pause: latency over time, and under it the heat and the clock that explain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit.latency.sustained_run import Sustained
from edgevit.report.charts.canvas import ROLES, WIDE, frame, style
from edgevit.report.text import formatting, sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["describe_sustained", "sustained_figure"]

_HEIGHTS = (2.6, 1.3)  # inches: the latency's panel, each of the others
_DASHES = (0, (5, 3))


def sustained_figure(run: Sustained, width: float = WIDE) -> Figure:
    """Latency by second, the first seconds' and the last quarter's medians as levels; panels for °C and MHz if known.

    Stretches in which the device said that it throttles are shaded.
    """
    from matplotlib.figure import Figure

    sensed = (
        ("°C", "budget", [(each.t_s, each.temperature_c) for each in run.trace if each.temperature_c is not None]),
        ("MHz", "linear", [(each.t_s, each.mhz) for each in run.trace if each.mhz is not None]),
    )
    panels = [each for each in sensed if each[2]]
    heights = [_HEIGHTS[0], *(_HEIGHTS[1] for _ in panels)]
    with style():
        figure = Figure(figsize=(width, 0.5 + sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        _draw_latency(axes[0], run)
        for below, (unit, role, samples) in zip(axes[1:], panels, strict=True):
            frame(below, "", unit)
            below.plot(*zip(*samples, strict=True), color=ROLES[role], linewidth=1.5)
            _leave_room(below, [value for _, value in samples])
        for each in axes:
            _shade_throttled(each, run)
        axes[-1].set_xlabel("seconds", color=ROLES["muted"])
        axes[-1].set_xlim(0.0, run.trace[-1].t_s)
    return figure


def describe_sustained(run: Sustained) -> str:
    """The picture in words, for who cannot see it."""
    return f"Latency over time: {sentences.sustained(run)}"


def _draw_latency(axes: Axes, run: Sustained) -> None:
    frame(axes, "", f"latency at {run.resolution}, ms")
    times, values = [each.t_s for each in run.trace], [each.latency_ms for each in run.trace]
    single = "o" if len(run.trace) == 1 else ""
    axes.plot(times, values, color=ROLES["ink"], linewidth=1.5, marker=single)
    top = max(values)
    axes.set_ylim(0.0, 1.18 * top)
    for level, what in ((run.first_ms, "at first"), (run.steady_ms, "at the end")):
        axes.axhline(level, color=ROLES["quadratic"], linewidth=1.0, linestyle=_DASHES)
        late = what == "at the end"
        axes.annotate(
            f"{what}: {formatting.ms(level)} ms",
            (1.0 if late else 0.0, level),
            xycoords=("axes fraction", "data"),
            # Apart also where both are at one height: one stands above its level, at the right, the other below.
            xytext=(-4, 4) if late else (4, -4),
            textcoords="offset points",
            ha="right" if late else "left",
            va="bottom" if late else "top",
            color=ROLES["quadratic"],
            fontsize=9,
        )


def _leave_room(axes: Axes, values: list[float]) -> None:
    """So that a tenth of a degree does not look like a mountain."""
    low, high = min(values), max(values)
    margin = max(0.15 * (high - low), 0.02 * high, 0.5)
    axes.set_ylim(max(0.0, low - margin), high + margin)


def _shade_throttled(axes: Axes, run: Sustained) -> None:
    since = 0.0
    for each in run.trace:
        if each.throttled:
            axes.axvspan(since, each.t_s, color=ROLES["budget"], alpha=0.12, linewidth=0)
        since = each.t_s
