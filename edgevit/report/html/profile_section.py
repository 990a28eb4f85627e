"""One profile's part of the report: its recommendation, curve, table, where its time goes, and its machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.latency.reliability import Reliability
from edgevit.report.accuracies import Accuracies, Series
from edgevit.report.charts.curve_charts import curve_figure
from edgevit.report.charts.responsive_chart import picture
from edgevit.report.charts.sustained_chart import describe_sustained, sustained_figure
from edgevit.report.operator_shares import operator_rows, operators_doubt
from edgevit.report.text import formatting, marks, sentences
from edgevit.statistics import margin
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

__all__ = ["section"]


@dataclass(frozen=True)
class Row:
    """One resolution of the report's table, as text; `parts` are the shares of a, b·N and c·N² in percent."""

    resolution: Resolution
    cells: tuple[str | None, ...]
    """None in the place of the bar."""
    parts: tuple[tuple[str, float], ...]
    state: str
    """`chosen`, `over` the budget, or nothing."""
    median_ms: float


def section(index: int, label: str, profile: Profile, accuracies: Accuracies) -> dict[str, Any]:
    """What the template shows of the profile in place `index`; `charts` is where its picture's axes are."""
    curve, operators = profile.curve, operator_rows(profile)
    described = _describe_curve(profile)
    drawn = picture(partial(curve_figure, profile), name=f"latency{index or ''}", description=described)
    return {
        "index": index,
        "label": label,
        "profile": profile,
        "details": _details(profile),
        "headline": _headline(profile, accuracies),
        "missed": profile.recommendation is not None and profile.recommendation.point is None,
        "curve_svg": drawn.svg,
        "charts": drawn.charts,
        "equation": sentences.equation(curve, profile) if curve else None,
        "findings": _findings(profile),
        "columns": _columns(profile, accuracies),
        "rows": _rows(profile, accuracies),
        "operators": operators,
        "operators_doubt": operators_doubt(operators),
        "sustained_svg": _sustained_svg(index, profile),
        "sustained": sentences.sustained(profile.sustained) if profile.sustained else None,
        "cooling": sentences.cooling(profile),
        "machine": _machine(profile),
        "doubts": marks.doubts(profile),
        "remarks": sentences.remarks(profile),
        "unstable": marks.unstable(profile),
    }


def _sustained_svg(index: int, profile: Profile) -> str | None:
    if profile.sustained is None:
        return None
    described = describe_sustained(profile.sustained)
    draw = partial(sustained_figure, profile.sustained)
    return picture(draw, name=f"sustained{index or ''}", description=described).svg


def _details(profile: Profile) -> str:
    parts = [profile.recipe, sentences.threads(profile)]
    return " · ".join(parts + ([f"measured {profile.measured_at[:10]}"] if profile.measured_at else []))


def _headline(profile: Profile, accuracies: Accuracies) -> dict[str, Any]:
    """The big number, what it is, and what to know about it."""
    first, last = profile.points[0], profile.points[-1]
    found = profile.recommendation
    if found is None:
        span = f"{marks.marked(first.median_ms, first.trust)} – {marks.marked(last.median_ms, last.trust)} ms"
        return {
            "big": span,
            "what": f"median latency from {first.resolution} to {last.resolution}",
            "notes": _reasons(first, last),
        }
    notes = []
    shown = found.point or min(profile.points, key=lambda point: point.median_ms)
    if found.point is None:
        big, what = "none", f"no resolution fits {found.budget_ms:g} ms"
        took = marks.marked(shown.median_ms, shown.trust)
        notes.append(f"The fastest measured one, {shown.resolution}, takes {took} ms (median).")
        notes += _reasons(shown)
    else:
        big, what = str(found.point.resolution), f"is the largest resolution under {found.budget_ms:g} ms"
        over = ", which is over the budget" if found.point.p90_ms > found.budget_ms else ""
        median, p90 = (
            marks.marked(found.point.median_ms, found.point.trust),
            formatting.ms(found.point.p90_ms),
        )
        notes.append(f"{median} ms median; the slowest tenth takes {p90} ms or more{over}.")
        notes += _reasons(found.point)
        notes += _most_accurate(found.point, profile, accuracies)
    if found.predicted:
        notes.append(f"{sentences.predicted(found.predicted)}.")
        stands = marks.curve_trust(profile)
        if stands and Reliability.of_all(each.trust for each in profile.points) != shown.trust:  # which was told above
            notes.append(f"{stands}.")
    return {"big": big, "what": what, "notes": notes}


def _reasons(*points: Point) -> list[str]:
    """What the marks of these points mean, in a sentence or none."""
    reason = Reliability.of_all(point.trust for point in points).reason
    return [f"{reason}."] if reason else []


def _most_accurate(chosen: Point, profile: Profile, accuracies: Accuracies) -> list[str]:
    """Its top-1; and, as larger is not always better, the most accurate resolution within the budget.

    Or the fastest that the pictures do not tell from it.
    """
    series = accuracies.of(profile)
    own = series.top1(chosen.resolution) if series else None
    budget_ms = profile.recommendation.budget_ms if profile.recommendation else 0.0
    if series is None or own is None:
        return []
    notes = [f"Top-1 accuracy there: {formatting.top1(own, series.images)} on {counted(series.images, 'picture')}."]
    fitting = [
        (top1, p)
        for p in profile.points
        if p.median_ms <= budget_ms and (top1 := series.top1(p.resolution)) is not None
    ]
    best, point = max(fitting, key=lambda each: (each[0], -each[1].tokens))
    if best > own:
        took = marks.marked(point.median_ms, point.trust)
        notes.append(
            f"{point.resolution} takes {took} ms and is more accurate: {formatting.top1(best, series.images)}"
            f"{formatting.untold(best, own, series.images)}."
        )
        return notes
    quick = [p for top1, p in fitting if p.median_ms < chosen.median_ms and own - top1 <= margin(own, series.images)]
    if quick:
        faster = min(quick, key=lambda each: each.median_ms)
        took = marks.marked(faster.median_ms, faster.trust)
        notes.append(
            f"{formatting.not_told(series.images)} {chosen.resolution} from {faster.resolution}, which takes {took} ms."
        )
    return notes


def _findings(profile: Profile) -> list[str]:
    curve = profile.curve
    if curve is None:
        return [f"No curve: {profile.curve_note}."] if profile.curve_note else []
    quadratic = f"{sentences.crossover(curve, profile)}."
    if curve.crossover_tokens is not None:
        quadratic += f" {sentences.shares(curve, profile)}."
    stands = marks.curve_trust(profile)
    return [f"{sentences.fit_quality(curve, profile)}.", quadratic, *([f"{stands}."] if stands else [])]


def _describe_curve(profile: Profile) -> str:
    first, last = profile.points[0], profile.points[-1]
    return (
        f"Latency over tokens, from {formatting.ms(first.median_ms)} ms at {first.resolution} pixels "
        f"to {formatting.ms(last.median_ms)} ms at {last.resolution} pixels"
    )


def _columns(profile: Profile, accuracies: Accuracies) -> list[str]:
    """What is looked for first stands first: a phone shows the beginning of a row."""
    columns = ["resolution", "median ms", f"{marks.spread(profile.points)} ms"]
    columns += ["top-1"] if accuracies.of(profile) else []
    columns += ["peak MB", "tokens"]
    if profile.curve:
        columns += ["fitted ms", "left-out error", "N² share", "what the time is"]
    return [*columns, "MMACs linear", "MMACs attention"]


def _rows(profile: Profile, accuracies: Accuracies) -> list[Row]:
    found, series = profile.recommendation, accuracies.of(profile)
    rows = []
    for point in profile.points:
        state = ""
        if found and point == found.point:
            state = "chosen"
        elif found and point.median_ms > found.budget_ms:
            state = "over"
        rows.append(
            Row(point.resolution, _cells(point, profile, series), _parts(point, profile), state, point.median_ms)
        )
    return rows


def _cells(point: Point, profile: Profile, series: Series | None) -> tuple[str | None, ...]:
    cells: list[str | None] = [
        str(point.resolution),
        f"{point.trust.mark}{formatting.ms(point.median_ms)}",
    ]
    cells += [f"{formatting.ms(point.p10_ms)}–{formatting.ms(point.p90_ms)}"]
    if series:
        top1 = series.top1(point.resolution)
        cells += ["–" if top1 is None else formatting.top1(top1, series.images)]
    cells += ["–" if point.peak_rss_bytes is None else formatting.mega(point.peak_rss_bytes), str(point.tokens)]
    if curve := profile.curve:
        error = curve.left_out_error(point.resolution)
        cells += [formatting.ms(curve.predict(point.tokens)), "–" if error is None else f"{100 * error:+.1f} %"]
        cells += [formatting.percent(curve.quadratic_share(point.tokens)), None]
    return (*cells, formatting.mega(point.macs.linear_macs), formatting.mega(point.macs.attention_macs))


def _parts(point: Point, profile: Profile) -> tuple[tuple[str, float], ...]:
    curve = profile.curve
    whole = curve.predict(point.tokens) if curve else 0.0
    if curve is None or whole == 0.0:
        return ()
    linear, quadratic = curve.linear_ms(point.tokens), curve.quadratic_ms(point.tokens)
    parts = {"constant": curve.a_ms, "linear": linear, "quadratic": quadratic}
    return tuple((role, round(100.0 * value / whole, 1)) for role, value in parts.items())


def _machine(profile: Profile) -> list[tuple[str, str]]:
    """What the numbers hold for: the device as its runtime described it, then the versions and the date."""
    device = profile.device
    memory = device.get("memory_bytes")
    facts: list[tuple[str, Any]] = [
        ("device", device.get("name")),
        ("model", device.get("model") if device.get("model") != device.get("cpu") else None),
        ("processor", device.get("cpu")),
        ("architecture", device.get("machine")),
        ("cores", device.get("cores")),
        ("threads used", profile.threads),
        ("memory", f"{memory / 2**30:.1f} GiB" if isinstance(memory, int | float) else None),
        ("system", device.get("system")),
        ("Python", device.get("python")),
        ("interpreter", " ".join(str(device[key]) for key in ("backend", "version") if device.get(key))),
        ("artefact", profile.model),
        ("file", f"{formatting.size(profile.size_bytes)} MB" if profile.size_bytes else None),
        ("variant", profile.variant),
        ("recipe", profile.recipe),
        ("load time", f"{formatting.ms(profile.load_ms)} ms" if profile.load_ms is not None else None),
        ("runs a resolution", _runs(profile)),
        ("edgevit", profile.edgevit),
        ("measured", profile.measured_at),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _runs(profile: Profile) -> str:
    runs = [point.runs for point in profile.points]
    return str(runs[0]) if min(runs) == max(runs) else f"{min(runs)} to {max(runs)}"
