"""Whether a model seems to have the right classes in the wrong order: labels mixed up, not a model that cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["permuted"]

FEWEST = 10
"""Pictures of the classes in question: of fewer anything may come out so."""


def permuted(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """A line where most classes are mostly taken for one other each, in closed circles; None otherwise.

    rows: `by_class` of an evaluation. A model that merely errs sends several classes to one: no circle of them closes.
    """
    taken_for = {row["label"]: row["taken_for"] for row in rows if 2 * row["taken_for_pictures"] > row["pictures"]}
    moved = set(taken_for)
    while moved != (targets := {taken_for[each] for each in moved}):
        moved = {each for each in moved & targets if taken_for[each] in moved}
    pictures = sum(row["pictures"] for row in rows if row["label"] in moved)
    if 2 * len(moved) <= len(rows) or pictures < FEWEST:
        return None
    first = next(row for row in rows if row["label"] in moved)
    return (
        f"the classes look permuted: {len(moved)} of {len(rows)} are each mostly taken for one other, "
        f"{first['label']} for {first['taken_for']}; look at the order of the labels"
    )
