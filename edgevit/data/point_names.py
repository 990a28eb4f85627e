"""Which points change places when a picture is mirrored: by `left` and `right` in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["flip_line", "flip_order"]

_WORDS = re.compile(r"left|right", re.IGNORECASE)
_LETTERS = re.compile(r"(?<![A-Za-z])[lr](?![A-Za-z])", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}


def flip_order(names: Sequence[str]) -> tuple[int, ...]:
    """For each point the index of its counterpart (`left_eye`, `right_eye`; `l_eye`, `r_eye`), or its own."""
    place = {name: index for index, name in enumerate(names)}
    return tuple(place.get(_mirrored(name), index) for index, name in enumerate(names))


def flip_line(names: Sequence[str], order: Sequence[int]) -> str:
    """What was made of the names, in words."""
    pairs = [f"{names[index]}/{names[other]}" for index, other in enumerate(order) if index < other]
    if not pairs:
        return "no point is called left or right: no picture is mirrored"
    more = f", … ({len(pairs) - 4} more)" if len(pairs) > 4 else ""
    return f"by their names, mirrored points change places: {', '.join(pairs[:4])}{more}"


def _mirrored(name: str) -> str:
    words = _WORDS if _WORDS.search(name) else _LETTERS
    return words.sub(lambda match: _in_case(match[0], _OTHER[match[0].lower()]), name)


def _in_case(like: str, word: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
