"""A profile in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.latency.curve import Curve
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.report.operator_shares import operator_rows, operators_doubt
from edgevit.report.text import formatting, marks, sentences
from edgevit.report.text.choice_sentences import STYLES

__all__ = ["operators_view", "profile_table", "profile_view"]


def profile_view(profile: Profile) -> RenderableType:
    """For each number of threads the table, and under it the curve, the crossover, predictions and the recommendation.

    Then why there is no curve, the pauses for cooling, the sustained run, and what to know of the device, a line each.
    """
    rendered = [_series_view(each) for each in profile.series]
    lines = [f"No curve: {profile.curve_note}." if profile.curve_note else None]
    lines += [f"{profile.gpu_not_used}." if profile.gpu_not_used else None]
    lines += [f"{paused}." if (paused := sentences.cooling(profile)) else None]
    lines += [f"{sentences.sustained(profile.sustained)}." if profile.sustained else None]
    lines += [f"{remark}." for remark in sentences.remarks(profile)]
    return Group(*rendered, *(Text(line) for line in lines if line))


def _series_view(profile: Profile) -> RenderableType:
    lines = [f"{line}." for line in marks.doubts(profile)]
    if unstable := marks.unstable(profile):
        lines.append(f"{unstable}.")
    if curve := profile.curve:
        lines += [f"{sentences.equation(curve, marks.stands_on(profile))}   ({sentences.fit_quality(curve, profile)})"]
        lines += [f"{sentences.crossover(curve, profile, marks.stands_on(profile))}."]
        lines += [f"{sentences.shares(curve, profile)}."] if curve.crossover_tokens is not None else []
    for each in profile.predictions:
        where = f", outside the {profile.obtained} resolutions" if each.extrapolated else ""
        predicted = marks.marked(each.predicted_ms, each.trust)
        lines.append(f"Predicted at {each.resolution} (N = {each.tokens}): {predicted} ms{where}.")
    if stands := marks.curve_trust(profile):
        lines.append(f"{stands}.")
    rendered: list[RenderableType] = [profile_table(profile), *map(Text, lines), *operators_view(profile)]
    if found := profile.recommendation:
        rendered.append(Text(f"{sentences.recommendation(found)}.", style=STYLES[found.state]))
    return Group(*rendered)


def operators_view(profile: Profile) -> list[RenderableType]:
    """Where the time goes at the smallest and the largest resolution, the kind that takes most first.

    Nothing where it was not asked for; a line below where the operators' sum is off the median.
    """
    rows = operator_rows(profile)
    if not rows:
        return []
    ends = rows[:1] if len(rows) == 1 else [rows[0], rows[-1]]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("where the time goes")
    for end in ends:
        table.add_column(f"at {end.resolution}\nms", justify="right", no_wrap=True)
        table.add_column("\nshare", justify="right", no_wrap=True)
    spent = [{name: (took, f"{share:.0f} %") for _, name, share, took in end.parts} for end in ends]
    for _, name, _, _ in sorted(ends[-1].parts, key=lambda part: -part[2]):
        table.add_row(name, *(cell for each in spent for cell in each.get(name, ("–", "–"))))
    table.add_section()
    table.add_row("together", *(cell for end in ends for cell in (f"{end.mark}{formatting.ms(end.sum_ms)}", "")))
    doubt = operators_doubt(rows)
    return [table, *([Text(f"{doubt}.")] if doubt else [])]


def profile_table(profile: Profile) -> Table:
    """One row a resolution; the columns of the curve only where there is one. The recommended row stands out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left", title_style="bold")
    table.title = sentences.subject(profile)
    headers = [
        "res.",
        "N",
        "MMACs\nlinear",
        "MMACs\nattention",
        "estimate\nms" if profile.estimate else f"median ({marks.spread(profile.points)})\nms",
    ]
    if profile.curve:
        headers += ["fitted\nms", "N²\nshare", "left-out\nerror"]
    if heat := any(point.conditions and point.conditions.hottest_c is not None for point in profile.points):
        headers += ["before → after\n°C"]
    if clock := any(point.conditions and point.conditions.busy_mhz is not None for point in profile.points):
        headers += ["MHz"]
    headers += [] if profile.estimate else ["peak\nMB"]
    for header in headers:
        table.add_column(header, justify="right", overflow="fold")
    found = profile.recommendation
    for point in profile.points:
        cells = [*_row(point, profile.curve)]
        cells += [_heat(point)] if heat else []
        cells += [_clock(point)] if clock else []
        if not profile.estimate:
            cells += ["–" if point.peak_rss_bytes is None else formatting.mega(point.peak_rss_bytes)]
        table.add_row(*cells, style=STYLES[found.state] if found and point == found.point else None)
    return table


def _row(point: Point, curve: Curve | None) -> list[str]:
    median = marks.marked(point.median_ms, point.trust)
    if point.runs:
        median += f" ({formatting.ms(point.p10_ms)}–{formatting.ms(point.p90_ms)})"
    row = [str(point.resolution), str(point.tokens)]
    row += [formatting.mega(point.macs.linear_macs), formatting.mega(point.macs.attention_macs), median]
    if curve:
        error = curve.left_out_error(point.resolution)
        row += [formatting.ms(curve.predict(point.tokens)), formatting.percent(curve.quadratic_share(point.tokens))]
        row += ["–" if error is None else f"{100 * error:+.1f} %"]
    return row


def _heat(point: Point) -> str:
    """°C before and after its runs, and the most between them where that was more."""
    seen = point.conditions
    if seen is None or seen.before_c is None or seen.after_c is None or seen.hottest_c is None:
        return "–"
    span = f"{seen.before_c:.0f} → {seen.after_c:.0f}"
    return span if seen.hottest_c <= max(seen.before_c, seen.after_c) else f"{span} ({seen.hottest_c:.0f})"


def _clock(point: Point) -> str:
    return f"{point.conditions.busy_mhz:.0f}" if point.conditions and point.conditions.busy_mhz is not None else "–"
