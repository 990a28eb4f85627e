"""The report's tables of accuracies: two models side by side, and one figure a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgevit.latency.profile import Profile
from edgevit.report.accuracies import Accuracies, Agreement, Series
from edgevit.report.text import formatting
from edgevit_runtime.resolution import Resolution

__all__ = ["by_class", "comparison"]

MOST_CLASSES = 40


def comparison(each: Agreement, profiles: Sequence[Profile], accuracies: Accuracies) -> dict[str, Any]:
    """Two models side by side: what the second loses in points, the metric and further figures of each, and how far
    they agree."""
    model, against = accuracies.label(each.model, *profiles), accuracies.label(each.against, *profiles)
    agreement, ends = dict(each.by_resolution), {resolution: (low, high) for resolution, low, high in each.drops}
    shared = [score.resolution for score in each.model.scores if each.against.score(score.resolution)]
    columns = [against, model]
    rows = [[str(at), _lost(each, at, ends.get(at)), _share(each.against, at), _share(each.model, at)] for at in shared]
    if agreement:
        columns.append(accuracies.task.agreement)
        for row, at in zip(rows, shared, strict=True):
            row.append(_percent(agreement.get(at)))
    for place, figure in enumerate(accuracies.task.figures[1:]):
        found = [[_other(series, at, place) for series in (each.against, each.model)] for at in shared]
        if all(None in pair for pair in found):
            continue
        columns += [f"{figure.heading}, {against}", f"{figure.heading}, {model}"]
        for row, pair in zip(rows, found, strict=True):
            row += map(_percent, pair)
    return {
        "model": model,
        "against": against,
        "series": each.model,
        "interval": bool(ends),
        "columns": columns,
        "rows": rows,
    }


def _lost(each: Agreement, at: Resolution, ends: tuple[float, float] | None) -> str:
    own, other = each.model.score(at), each.against.score(at)
    known = own and other and (ends or own.share or other.share)  # two models that are never right have nothing to lose
    return formatting.lost(own.share - other.share, ends) if own and other and known else "–"


def _share(series: Series, at: Resolution) -> str:
    found = series.accuracy(at)
    return "–" if found is None else formatting.accuracy(found)


def _other(series: Series, at: Resolution, place: int) -> float | None:
    found = series.score(at)
    return found.others[place] if found and place < len(found.others) else None


def _percent(share: float | None) -> str:
    return "–" if share is None else formatting.percent(share, 1)


def by_class(profiles: Sequence[Profile], accuracies: Accuracies) -> dict[str, Any] | None:
    """The task's figure of each class, a column for each model, where the first of them is best; the worst class first.

    None where the task has no such figure, or the evaluations do not say it.
    """
    figure, labels = accuracies.task.class_figure, accuracies.labels
    known = [each for each in accuracies.series if any(len(score.by_class) == len(labels) for score in each.scores)]
    if figure is None or not labels or not known:
        return None
    best = max(known[0].scores, key=lambda score: (score.share, -score.resolution.pixels))
    shown = [
        (accuracies.label(series, *profiles), score.by_class)
        for series in known
        if (score := series.score(best.resolution)) is not None and len(score.by_class) == len(labels)
    ]
    order = sorted(range(len(labels)), key=lambda index: _worst_first(shown[0][1][index]))
    return {
        "heading": figure.heading,
        "noun": figure.noun,
        "resolution": best.resolution,
        "columns": [name for name, _ in shown],
        "rows": [(labels[index], [_percent(each[index]) for _, each in shown]) for index in order[:MOST_CLASSES]],
        "left_out": max(0, len(labels) - MOST_CLASSES),
    }


def _worst_first(share: float | None) -> float:
    """What no picture had stands last."""
    return 2.0 if share is None else share
