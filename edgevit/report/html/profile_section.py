"""One profile's part of the report: its recommendation, curve, table, where its time goes, and its machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from edgevit.latency.plan import Candidate
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile
from edgevit.latency.recommendation import Choice
from edgevit.report.accuracies import Accuracies, Series
from edgevit.report.charts.curve_charts import curve_figure, taken_point
from edgevit.report.charts.responsive_chart import picture
from edgevit.report.charts.sustained_chart import describe_sustained, sustained_figure
from edgevit.report.operator_shares import operator_rows, operators_doubt
from edgevit.report.text import formatting, marks, sentences
from edgevit_runtime.resolution import Resolution

__all__ = ["section"]


@dataclass(frozen=True)
class Row:
    """One resolution of the report's table, as text; `parts` are the shares of a, b·N and c·N² in percent."""

    resolution: Resolution
    cells: tuple[str | None, ...]
    """None in the place of the bar."""
    parts: tuple[tuple[str, float], ...]
    state: str
    """`chosen` and how sure that is, `over` the budget, or nothing."""
    median_ms: float


def section(
    index: int, label: str, profile: Profile, accuracies: Accuracies, choice: Choice[Candidate] | None
) -> dict[str, Any]:
    """What the template shows of the profile in place `index`; `charts` is where its picture's axes are.

    choice: what is said to be taken, whose row stands out where it is this profile's.
    """
    curve, operators = profile.curve, operator_rows(profile)
    described = _describe_curve(profile)
    draw = partial(curve_figure, profile, choice=choice)
    drawn = picture(draw, name=f"latency{index or ''}", description=described)
    return {
        "index": index,
        "label": label,
        "profile": profile,
        "details": _details(profile),
        "curve_svg": drawn.svg,
        "charts": drawn.charts,
        "equation": sentences.equation(curve) if curve else None,
        "findings": _findings(profile),
        "columns": _columns(profile, accuracies),
        "rows": _rows(profile, accuracies, choice),
        "operators": operators,
        "operators_doubt": operators_doubt(operators),
        "sustained_svg": _sustained_svg(index, profile),
        "sustained": sentences.sustained(profile.sustained) if profile.sustained else None,
        "cooling": sentences.cooling(profile),
        "machine": _machine(profile),
        "remarks": sentences.remarks(profile),
    }


def _sustained_svg(index: int, profile: Profile) -> str | None:
    if profile.sustained is None:
        return None
    described = describe_sustained(profile.sustained)
    draw = partial(sustained_figure, profile.sustained)
    return picture(draw, name=f"sustained{index or ''}", description=described).svg


def _details(profile: Profile) -> str:
    parts = [profile.recipe, sentences.threads(profile)]
    return " · ".join(parts + ([f"{profile.obtained} {profile.measured_at[:10]}"] if profile.measured_at else []))


def _findings(profile: Profile) -> list[str]:
    curve = profile.curve
    if curve is None:
        return [f"No curve: {profile.curve_note}."] if profile.curve_note else []
    quadratic = f"{sentences.crossover(curve, profile)}."
    if curve.crossover_tokens is not None:
        quadratic += f" {sentences.shares(curve, profile)}."
    found = profile.recommendation
    beside = [f"{sentences.predicted(found.predicted, marked=False)}."] if found and found.predicted else []
    return [f"{sentences.fit_quality(curve, profile)}.", quadratic, *beside]


def _describe_curve(profile: Profile) -> str:
    first, last = profile.points[0], profile.points[-1]
    return (
        f"Latency over tokens, from {formatting.ms(first.median_ms)} ms at {first.resolution} pixels "
        f"to {formatting.ms(last.median_ms)} ms at {last.resolution} pixels"
    )


def _has_p95(profile: Profile) -> bool:
    return any(point.p95_ms is not None for point in profile.points)


def _columns(profile: Profile, accuracies: Accuracies) -> list[str]:
    """What is looked for first stands first: a phone shows the beginning of a row."""
    spread = [] if profile.estimate else [f"{marks.spread(profile.points)} ms"]
    columns = ["resolution", "estimate ms" if profile.estimate else "median ms", *spread]
    columns += ["p95 ms"] if _has_p95(profile) else []
    columns += [accuracies.metric.heading] if accuracies.of(profile) else []
    columns += ["peak MB", "tokens"]
    if profile.curve:
        columns += ["fitted ms", "left-out error", "N² share", "what the time is"]
    return [*columns, "MMACs linear", "MMACs attention"]


def _rows(profile: Profile, accuracies: Accuracies, choice: Choice[Candidate] | None) -> list[Row]:
    series = accuracies.of(profile)
    rows = []
    for point in profile.points:
        state = ""
        if choice and point == taken_point(profile, choice):
            state = f"chosen {choice.state}"
        elif choice and point.median_ms > choice.budget_ms:
            state = "over"
        rows.append(
            Row(point.resolution, _cells(point, profile, series), _parts(point, profile), state, point.median_ms)
        )
    return rows


def _cells(point: Point, profile: Profile, series: Series | None) -> tuple[str | None, ...]:
    cells: list[str | None] = [
        str(point.resolution),
        f"{marks.of_row(point, profile)}{formatting.ms(point.median_ms)}",
    ]
    if not profile.estimate:
        cells += [f"{formatting.ms(point.p10_ms)}–{formatting.ms(point.p90_ms)}"]
    if _has_p95(profile):
        cells += ["–" if point.p95_ms is None else formatting.ms(point.p95_ms)]
    if series:
        accuracy = series.accuracy(point.resolution)
        cells += ["–" if accuracy is None else formatting.accuracy(accuracy)]
    cells += [formatting.mega(point.peak_rss_bytes) if point.peak_rss_bytes else "–", str(point.tokens)]
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
        ("runs a resolution", None if profile.estimate else _runs(profile)),
        ("edgevit", profile.edgevit),
        (profile.obtained, profile.measured_at),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _runs(profile: Profile) -> str:
    runs = [point.runs for point in profile.points]
    return str(runs[0]) if min(runs) == max(runs) else f"{min(runs)} to {max(runs)}"
