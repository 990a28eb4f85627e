"""The boxes that somebody asks `keypoints` about, one by one: in Python, or as a request's text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

from edgevit_runtime.errors import EdgeViTError

if TYPE_CHECKING:
    from edgevit_runtime.tasks.findings import Box

BoxLike = Union["Box", Sequence[float]]
"""A `Box` that `detect` found, or xmin, ymin, xmax, ymax in the picture's own pixels."""
MOST_ASKED = 20
"""Boxes of one request to a server: each takes an inference, and others wait."""


def as_given(box: BoxLike) -> Box | tuple[float, ...]:
    """A box of `detect` as it is, others as four floats. Raises `EdgeViTError` for what is none."""
    from edgevit_runtime.tasks.findings import Box

    if isinstance(box, Box):
        return box
    try:
        corners = tuple(map(float, box))
    except (TypeError, ValueError):
        corners = ()
    if len(corners) != 4:
        raise EdgeViTError(f"a box is xmin, ymin, xmax, ymax, or one that detect found, not {ascii(box)[:60]}")
    return corners


def corners_of(box: Box | tuple[float, ...]) -> tuple[float, float, float, float]:
    """xmin, ymin, xmax, ymax of what `as_given` gives."""
    xmin, ymin, xmax, ymax = box if isinstance(box, tuple) else (box.xmin, box.ymin, box.xmax, box.ymax)
    return xmin, ymin, xmax, ymax


def read_boxes(text: str) -> list[tuple[float, ...]]:
    """`10,20,110,220,30,40,60,80`: two boxes. Raises `EdgeViTError` for what is none, and for too many."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(numbers) % 4 or len(numbers) > 4 * MOST_ASKED:
        raise EdgeViTError(
            f"boxes are xmin,ymin,xmax,ymax of each, one behind the other, at most {MOST_ASKED}; not {text[:40]!r}"
        )
    return [tuple(numbers[start : start + 4]) for start in range(0, len(numbers), 4)]
