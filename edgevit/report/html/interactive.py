"""What the report's own script works on: the budget as a slider. Without scripts the page says what it says anyway."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from typing import Any

from markupsafe import Markup

from edgevit.latency.comparison import Comparison
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.recommendation import Choice
from edgevit.report.html.headline import BUDGET, Headline, device_headline, entries, profile_row

__all__ = ["script_hash", "script_text", "state"]


def script_text() -> Markup:
    """The script as it stands in the page."""
    return Markup(resources.files("edgevit.report.html").joinpath("budget.js").read_text(encoding="utf-8"))


def script_hash() -> str:
    """What the page's content security policy allows: this script, and no other (W3C CSP Level 3, section 6.7.3.3)."""
    digest = hashlib.sha256(f"\n{script_text()}".encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def state(
    together: Comparison,
    charts: Mapping[str, Mapping[str, Any]],
    plans: Sequence[Plan],
    own: Sequence[Plan],
    budget_ms: float | None,
) -> Markup:
    """JSON for the script: what each card and each profile's row say from which budget on, and the pictures' axes.

    plans: of the cards; own: of each profile alone.
    """
    medians = [point.median_ms for profile in together.profiles for point in profile.points]
    document = {
        "budget_ms": budget_ms,
        "low_ms": 0.9 * min(medians),
        "high_ms": 1.1 * max(point.late_ms for profile in together.profiles for point in profile.points),
        "cards": [entries(plan, partial(_card, plan)) for plan in plans],
        "rows": [entries(plan, partial(profile_row, plan)) for plan in own],
        "charts": dict(charts),
    }
    # In an element of text only "</" could end it early.
    return Markup(json.dumps(document).replace("<", "\\u003c"))


def _card(plan: Plan, choice: Choice[Candidate]) -> Headline:
    return device_headline(plan, choice, BUDGET)
