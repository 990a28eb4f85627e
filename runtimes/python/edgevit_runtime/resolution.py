"""A resolution: width x height in pixels, as the command line says it: `224` for a square, `640x384`, as cameras do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Union

from edgevit_runtime.errors import ResolutionError

__all__ = ["Resolution", "ResolutionLike", "as_resolution", "as_resolutions", "parse_resolutions"]

_TEXT = re.compile(r"([1-9][0-9]{0,5})(?:x([1-9][0-9]{0,5}))?")


class Resolution:
    """Width x height in pixels. A square is its side: `Resolution(224, 224) == 224`, in sets and dicts too.

    Ordered by the number of pixels, then by width: of two as large the upright one comes first.
    """

    __slots__ = ("height", "width")

    width: int
    height: int

    def __init__(self, width: int, height: int | None = None) -> None:
        object.__setattr__(self, "width", width)
        object.__setattr__(self, "height", width if height is None else height)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a resolution does not change")

    @property
    def is_square(self) -> bool:
        return self.width == self.height

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def to_json(self) -> int | str:
        """As documents say it: 224 or "640x384"."""
        return self.width if self.is_square else str(self)

    def to_fields(self) -> dict[str, Any]:
        """`resolution`, `width` and `height`, as documents have them side by side."""
        return {"resolution": self.to_json(), "width": self.width, "height": self.height}

    def __str__(self) -> str:
        return str(self.width) if self.is_square else f"{self.width}x{self.height}"

    def __repr__(self) -> str:
        return f"Resolution({self})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __hash__(self) -> int:
        return hash(self.width) if self.is_square else hash((self.width, self.height))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Resolution):
            return (self.width, self.height) == (other.width, other.height)
        return self.is_square and self.width == other

    def _order(self) -> tuple[int, int]:
        return self.pixels, self.width

    def __lt__(self, other: ResolutionLike) -> bool:
        return self._order() < as_resolution(other)._order()

    def __le__(self, other: ResolutionLike) -> bool:
        return self._order() <= as_resolution(other)._order()

    def __gt__(self, other: ResolutionLike) -> bool:
        return self._order() > as_resolution(other)._order()

    def __ge__(self, other: ResolutionLike) -> bool:
        return self._order() >= as_resolution(other)._order()

    def __index__(self) -> int:
        """A square's side, so that `np.zeros((resolution, resolution, 3))` and `range` take it."""
        if not self.is_square:
            raise TypeError(f"{self} is no square: name .width or .height")
        return self.width

    def __reduce__(self) -> tuple[Any, ...]:
        return Resolution, (self.width, self.height)


ResolutionLike = Union[Resolution, int, str, "tuple[int, int]"]
"""What users may give: 224, "224", "640x384", (640, 384)."""


def as_resolution(value: ResolutionLike) -> Resolution:
    """A resolution from what a user gave or a document holds. Raises `ResolutionError` for anything else."""
    if isinstance(value, Resolution):
        return value
    if isinstance(value, str):
        match = _TEXT.fullmatch(value.strip())
        if match:
            return Resolution(int(match[1]), int(match[2] or match[1]))
    elif isinstance(value, (tuple, list)):
        if len(value) == 2 and all(_is_side(side) for side in value):
            return Resolution(int(value[0]), int(value[1]))
    elif _is_side(value):
        return Resolution(int(value))
    raise ResolutionError(
        f"a resolution is a whole number of pixels or WIDTHxHEIGHT, such as 224 or 640x384, not {value!r}"
    )


def as_resolutions(values: Iterable[ResolutionLike]) -> tuple[Resolution, ...]:
    """Each of these once, ascending. Raises `ResolutionError` for what is no list of resolutions."""
    if isinstance(values, (str, Resolution)) or not isinstance(values, Iterable):
        raise ResolutionError(f'resolutions are a list, such as [96, 224, "640x384"], not {values!r}')
    return tuple(sorted(set(map(as_resolution, values))))


def parse_resolutions(text: str) -> tuple[Resolution, ...]:
    """`"96,224,640x384"` -> resolutions, ascending, each once. Raises `ResolutionError`."""
    return as_resolutions(word for word in text.split(","))


def _is_side(value: Any) -> bool:
    """A whole number above 0, numpy's too; True is none."""
    try:
        return not isinstance(value, bool) and int(value) == value and 0 < value < 10**6
    except (TypeError, ValueError, OverflowError):
        return False
