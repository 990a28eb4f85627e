"""Counted things, and what was nearly found, in words."""

from __future__ import annotations

import math

__all__ = ["counted", "surest"]


def counted(count: int, noun: str) -> str:
    """`1 picture`, `12 pictures`: for nouns that take an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def surest(name: str, score: float, least_score: float) -> str:
    """`the surest: lamp 0.06, below a least score of 0.3`: for where nothing was found. Rounded down, so that it is.

    What is no number from 0 to 1 becomes the nearest one: another machine may have said it.
    """
    score, least_score = (min(1.0, max(0.0, each)) for each in (score, least_score))
    return f"the surest: {name} {math.floor(score * 100.0) / 100.0:.2f}, below a least score of {least_score:g}"
