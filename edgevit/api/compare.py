"""`edgevit.compare`: profiles side by side, and whether something got slower."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit.api.arguments import OneOrMore, as_paths, in_known_words
from edgevit.errors import ConfigError
from edgevit.files import check_output, write_text
from edgevit.latency.comparison import Comparison, read_profiles

__all__ = ["compare"]


@in_known_words
def compare(
    paths: OneOrMore,
    *,
    output: str | Path | None = None,
    fail_slower: float | str | None = None,
    overwrite: bool = False,
    on_result: Callable[[Comparison], None] = lambda _comparison: None,
) -> dict[str, Any]:
    """The `edgevit.comparison/1` document of profiles in files; ratios are to the first one's medians.

    paths: documents of `edgevit.profile`, one or more profiles in each.
    output: an HTML report of them all. overwrite: replace a file that is there already.
    fail_slower: how much slower than the first a profile may be, 0.1 or "10%". What is slower by more, beyond the
        scatter of the runs, is under `slower`; nothing is raised for it.
    on_result: given the comparison that the document is made of.

    Raises `DocumentError` for a file that holds no profile, `ConfigError` for fewer than two, or a share that is none.
    """
    limit = parse_share(fail_slower) if isinstance(fail_slower, str) else fail_slower
    files, page = as_paths(paths), None if output is None else Path(output)
    if page is not None:
        check_output(page, ".html", overwrite=overwrite)
    comparison = Comparison(read_profiles(files), limit)
    if len(comparison.profiles) < 2:
        raise ConfigError(f"a comparison needs two profiles or more, and {files[0]} holds one: name another beside it")
    if page is not None:
        from edgevit.report.accuracies import Accuracies
        from edgevit.report.html.page import render

        write_text(page, render(comparison.profiles, Accuracies()))
    on_result(comparison)
    return comparison.to_dict()


def parse_share(text: str) -> float:
    """`"10%"` or `"0.1"` -> 0.1. Raises `ConfigError` for anything else; `10` alone could mean either."""
    word = text.strip()
    percent = word.endswith("%")
    try:
        share = float(word.removesuffix("%")) / (100.0 if percent else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= (10.0 if percent else 1.0):
        raise ConfigError(f"a share is written such as 10% or 0.1, not {text!r}")
    return share
