"""What the report's own script works on: the budget as a slider. Without scripts the page says what it says anyway."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

from edgevit.latency.comparison import Comparison
from edgevit.latency.plan import Plan
from edgevit.report.accuracies import Accuracies
from edgevit.report.text import formatting, sentences
from edgevit.report.text.plan_table import best, costs, doubts
from edgevit.statistics import margin
from edgevit_runtime.wording import counted

__all__ = ["script_hash", "script_text", "state"]


def script_text() -> Markup:
    """The script as it stands in the page."""
    return Markup(resources.files("edgevit.report.html").joinpath("budget.js").read_text(encoding="utf-8"))


def script_hash() -> str:
    """What the page's content security policy allows: this script, and no other (W3C CSP Level 3, section 6.7.3.3)."""
    digest = hashlib.sha256(f"\n{script_text()}".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def state(
    together: Comparison, accuracies: Accuracies, charts: Mapping[str, Mapping[str, Any]], plans: Sequence[Plan]
) -> Markup:
    """JSON for the script: each profile's points, what there is to take, the page's budget, and the pictures' axes."""
    budgets = [each.recommendation.budget_ms for each in together.profiles if each.recommendation]
    document = {
        "budget_ms": budgets[0] if budgets else None,
        "series": [
            {
                "points": [
                    {
                        "resolution": str(point.resolution),
                        "tokens": point.tokens,
                        "median": point.median_ms,
                        "p90": point.p90_ms,
                        "top1": top1,
                        "top1_margin": margin(top1, series.images) if series and top1 is not None else None,
                        "top1_says": formatting.top1(top1, series.images) if series and top1 is not None else None,
                        "mark": point.trust.mark,
                        "reason": point.trust.reason,
                    }
                    for point in profile.points
                    for top1 in (series.top1(point.resolution) if series else None,)
                ],
                "pictures": counted(series.images, "picture") if series else None,
                "not_told": formatting.not_told(series.images) if series else None,
            }
            for profile in together.profiles
            for series in (accuracies.of(profile),)
        ],
        "plans": [
            {
                "best": best(plan),
                "where": plan.where,
                "candidates": [
                    {
                        "needs": each.needs_ms,
                        "latency": each.latency_ms,
                        "worth": each.worth,
                        "late": None if each.predicted else each.late_ms,
                        "costs": costs(each, plan),
                        "doubts": doubts(each, plan),
                    }
                    for each in plan.candidates
                ],
            }
            for plan in plans
        ],
        "late": sentences.LATE,
        "charts": dict(charts),
    }
    # In an element of text only "</" could end it early.
    return Markup(json.dumps(document).replace("<", "\\u003c"))
