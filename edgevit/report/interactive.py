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
from edgevit.report.accuracy import Accuracies

__all__ = ["script_hash", "script_text", "state"]


def script_text() -> Markup:
    """The script as it stands in the page."""
    return Markup(resources.files("edgevit.report").joinpath("budget.js").read_text(encoding="utf-8"))


def script_hash() -> str:
    """What the page's content security policy allows: this script, and no other (W3C CSP Level 3, section 6.7.3.3)."""
    digest = hashlib.sha256(f"\n{script_text()}".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def state(
    together: Comparison, accuracies: Accuracies, charts: Sequence[Mapping[str, Any]], overlay: Mapping[str, Any] | None
) -> Markup:
    """JSON for the script: each profile's points, the budget of the page, and where the pictures' axes lie."""
    budgets = [each.recommendation.budget_ms for each in together.profiles if each.recommendation]
    document = {
        "budget_ms": budgets[0] if budgets else None,
        "series": [
            {
                "points": [
                    {
                        "resolution": point.resolution,
                        "median": point.median_ms,
                        "p90": point.p90_ms,
                        "top1": series.top1(point.resolution) if series else None,
                        "mark": point.trust.mark,
                        "reason": point.trust.reason,
                    }
                    for point in profile.points
                ],
                "images": series.images if series else None,
            }
            for profile in together.profiles
            for series in (accuracies.of(profile.model),)
        ],
        "charts": {
            **{f"latency{index or ''}": each for index, each in enumerate(charts)},
            **({"together": overlay} if overlay else {}),
        },
    }
    # In an element of text only "</" could end it early.
    return Markup(json.dumps(document).replace("<", "\\u003c"))
