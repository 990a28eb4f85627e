"""`edgevit profile a.tflite b.tflite`: several artefacts in turns, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from edgevit.cli.console import emit_json
from edgevit.devices.profile_request import ProfileRequest
from edgevit.latency.comparison import Comparison
from edgevit.latency.interleaving import measure_together
from edgevit.latency.profile import unmet
from edgevit.report.text import marks, sentences
from edgevit.report.text.comparison_table import comparison_view
from edgevit.report.text.profile_tables import operators_view
from edgevit_runtime.resolution import Resolution


def profile_several(
    artefacts: Sequence[Path],
    request: ProfileRequest,
    device: str,
    benchmark_model: Path | None,
    unseen: Sequence[Resolution],
    budget_ms: float | None,
    console: Console,
    json_target: str | None,
) -> None:
    """Measures, shows and writes them as edgevit.comparison/1. Raises what is `unmet` at the end."""
    with console.status("") as status:
        profiles = measure_together(
            artefacts,
            request,
            device=device,
            benchmark_model=benchmark_model,
            on_step=lambda name, done, total: status.update(f"measuring {name} ({device}), turn {done + 1} of {total}"),
        )
    profiles = tuple(profile.predicting(unseen) for profile in profiles)
    if budget_ms is not None:
        profiles = tuple(profile.within(budget_ms) for profile in profiles)
    comparison = Comparison(profiles)
    console.print(comparison_view(comparison))
    for label, profile in zip(comparison.labels, profiles, strict=True):
        told = [f"{sentences.equation(profile.curve, profile)}"] if profile.curve else [str(profile.curve_note)]
        told += [
            f"at {each.resolution} it would take {marks.marked(each.predicted_ms, each.trust)} ms"
            for each in profile.predictions
        ]
        told += [stands] if (stands := marks.curve_trust(profile)) else []
        told += [sentences.recommendation(profile.recommendation)] if profile.recommendation else []
        told += [paused] if (paused := sentences.cooling(profile)) else []
        console.print(Text(f"{label}: {'; '.join(told)}."))
        for part in operators_view(profile):
            console.print(part)
    emit_json(comparison.to_dict(), json_target)
    for error in unmet(profiles):
        raise error
