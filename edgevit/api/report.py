"""`edgevit.report`: profiles and evaluations become one HTML file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgevit.api.arguments import OneOrMore, as_paths, in_known_words
from edgevit.errors import ConfigError
from edgevit.files import check_output, write_bytes, write_text
from edgevit.latency.comparison import Comparison
from edgevit.latency.profile import Profile
from edgevit.report.input_documents import read_documents

__all__ = ["report"]


@in_known_words
def report(
    *paths: OneOrMore,
    output: str | Path | None = None,
    png: str | Path | None = None,
    budget_ms: float | None = None,
    title: str | None = None,
    overwrite: bool = False,
    on_note: Callable[[str], None] = lambda _line: None,
) -> None:
    """Writes one HTML file: curves, accuracy by resolution, and a recommendation.

    paths: documents of `edgevit.profile` and `edgevit.evaluate` in any order, one by one or as a list.
    output: the `.html` file; None: the last of `paths` is that, as in `report("profile.json", "report.html")`.
    png: where the picture is written, too. title: the heading.
    overwrite: replace files that are there already.
    budget_ms: recommend for this budget, not the profile's own.
    on_note: told what was written, what the page recommends, and which profile has no evaluation, a line at a time.

    Raises `DocumentError` for a file that is neither, `ConfigError` without a profile; and once all is written
    `BudgetError`, where no resolution of any profile fits `budget_ms`.
    """
    from edgevit.report.charts.canvas import png as draw
    from edgevit.report.charts.curve_charts import combined_figure
    from edgevit.report.charts.overlay_charts import latency_overlay
    from edgevit.report.html.page import device_plans, recommendations, render

    *given, last = (*as_paths(*paths), *([] if output is None else [Path(output)])) or (Path(),)
    if output is None and last.suffix.lower() != ".html":
        raise ConfigError("a report needs a file to be written to: output='report.html'")
    page_path, picture_path = last, None if png is None else Path(png)
    check_output(page_path, ".html", overwrite=overwrite)
    if picture_path is not None:
        check_output(picture_path, ".png", overwrite=overwrite)
    profiles, accuracies = read_documents(given)
    if not profiles:
        raise ConfigError("a report needs a profile: make one with `edgevit profile X.tflite --json profile.json`")
    if budget_ms is not None:
        profiles = tuple(profile.within(budget_ms) for profile in profiles)
    # Both are made before either is written: an error leaves no half of a report.
    page, picture = render(profiles, accuracies, title=title), b""
    if picture_path is not None:
        several = len(profiles) > 1
        plans = [] if several else device_plans(profiles, accuracies, _budget_ms(profiles[0]))
        one = plans[0] if plans else None
        figure = latency_overlay(Comparison(profiles)) if several else combined_figure(profiles[0], accuracies, one)
        picture = draw(figure)
    write_text(page_path, page)
    if picture_path is not None:
        write_bytes(picture_path, picture)
    on_note(f"wrote {page_path}" + (f" and {picture_path}" if picture_path is not None else ""))
    for line in dict.fromkeys(filter(None, map(accuracies.unjoined, profiles))):
        on_note(f"not joined: {line}")
    for line in recommendations(profiles, accuracies):
        on_note(line)
    over_budget = [profile.over_budget for profile in profiles if profile.over_budget]
    if budget_ms is not None and len(over_budget) == len(profiles):
        raise over_budget[0]


def _budget_ms(profile: Profile) -> float | None:
    return profile.recommendation.budget_ms if profile.recommendation else None
