"""The pictures of several profiles: their curves over each other, and their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgevit.latency.comparison import Comparison
from edgevit.latency.profile import Profile
from edgevit.report.charts.canvas import ROLES, SERIES, WIDE, drawable, frame, legend, style
from edgevit.report.charts.resolution_axis import across, axis_title, name_resolutions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["latency_overlay", "memory_figure"]

_HEIGHT = 4.7  # inches
_STEEP = 8.0
"""Where the slowest median is that many times the fastest, a linear axis would press the fast ones together."""


def latency_overlay(together: Comparison, width: float = WIDE) -> Figure:
    """Latency over resolution, in pixels, as patch sizes differ: points with p10 to p90, and each profile's curve."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    medians = [point.median_ms for profile in together.profiles for point in profile.points]
    with style():
        figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        log = max(medians) > _STEEP * min(medians)
        frame(axes, axis_title(together.resolutions), "latency, ms (logarithmic)" if log else "latency, ms")
        for index, (label, profile) in enumerate(zip(together.labels, together.profiles, strict=True)):
            role, marker, line = SERIES[index % len(SERIES)]
            axes.plot(*_curve(profile), color=ROLES[role], linestyle=line, linewidth=1.4)
            axes.errorbar(
                [across(point.resolution) for point in profile.points],
                [point.median_ms for point in profile.points],
                yerr=(
                    [point.median_ms - point.p10_ms for point in profile.points],
                    [point.p90_ms - point.median_ms for point in profile.points],
                ),
                fmt=marker,
                color=ROLES[role],
                markersize=5.5,
                elinewidth=1.0,
                capsize=2.0,
                label=drawable(label),
            )
            marked = [point for point in profile.points if not point.trusted]
            axes.plot(
                [across(point.resolution) for point in marked],
                [point.median_ms for point in marked],
                marker,
                markersize=5.5,
                markerfacecolor=ROLES["paper"],
                markeredgecolor=ROLES[role],
                zorder=5,
            )
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(bottom=0.0)
        name_resolutions(axes, together.resolutions)
        legend(axes, "upper left")
    return figure


def memory_figure(together: Comparison, width: float = WIDE) -> Figure:
    """Peak memory of the process over resolution, the whole ladder loaded."""
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(width, 0.6 * _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        frame(axes, axis_title(together.resolutions), "peak memory, MB")
        for index, (label, profile) in enumerate(zip(together.labels, together.profiles, strict=True)):
            role, marker, line = SERIES[index % len(SERIES)]
            known = [(each.resolution, each.peak_rss_bytes / 1e6) for each in profile.points if each.peak_rss_bytes]
            if known:
                places, up = zip(*known, strict=True)
                axes.plot(
                    list(map(across, places)),
                    up,
                    color=ROLES[role],
                    marker=marker,
                    linestyle=line,
                    label=drawable(label),
                )
        peaks = [each.peak_rss_bytes or 0 for profile in together.profiles for each in profile.points]
        axes.set_ylim(0.0, 1.15 * max(peaks) / 1e6)
        name_resolutions(axes, together.resolutions)
        if len(together.profiles) > 1:
            legend(axes, "best")
    return figure


def _curve(profile: Profile) -> tuple[list[float], list[float]]:
    """The fitted curve between the measured ends; the points themselves where there is none."""
    if profile.curve is None:
        return [across(each.resolution) for each in profile.points], [each.median_ms for each in profile.points]
    smallest, largest = profile.points[0].resolution, profile.points[-1].resolution
    places = np.linspace(across(smallest), across(largest), 160)
    tokens = (places / profile.patch) ** 2 + profile.points[0].prefix
    return [float(each) for each in places], [profile.curve.predict(float(each)) for each in tokens]
