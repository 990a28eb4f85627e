"""Several artefacts that were measured in turns: side by side, and what is to be said of each."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from edgevit.latency.comparison import Comparison
from edgevit.report.text import marks, sentences
from edgevit.report.text.comparison_table import comparison_view
from edgevit.report.text.profile_tables import operators_view

__all__ = ["several_view"]


def several_view(comparison: Comparison) -> Iterator[RenderableType]:
    """The table of all; of each the curve, predictions and recommendation in a line, and its operators."""
    yield comparison_view(comparison)
    for label, profile in zip(comparison.labels, comparison.profiles, strict=True):
        told = (
            [f"{sentences.equation(profile.curve, marks.stands_on(profile))}"]
            if profile.curve
            else [str(profile.curve_note)]
        )
        told += [
            f"at {each.resolution} it would take {marks.marked(each.predicted_ms, each.trust)} ms"
            for each in profile.predictions
        ]
        told += [stands] if (stands := marks.curve_trust(profile)) else []
        told += [sentences.recommendation(profile.recommendation)] if profile.recommendation else []
        told += [paused] if (paused := sentences.cooling(profile)) else []
        yield Text(f"{label}: {'; '.join(told)}.")
        yield from operators_view(profile)
