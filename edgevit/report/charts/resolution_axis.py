"""Resolutions on a level axis: squares and rectangles side by side, named so that no names touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import TYPE_CHECKING

from edgevit_runtime.resolution import Resolution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["across", "axis_title", "name_resolutions", "named_ticks"]

_LETTER = 0.082
"""Inches: a character of a tick's name."""
_GAP = 0.034
"""Inches between two names."""


def across(resolution: Resolution) -> float:
    """The place of a resolution: the side of a square of as many pixels, 224 for 224 and 496 for 640x384."""
    return sqrt(resolution.pixels)


def axis_title(resolutions: Iterable[Resolution]) -> str:
    """What the axis says below it."""
    squares = all(each.is_square for each in resolutions)
    return "resolution, pixels" if squares else "resolution, at the square of as many pixels"


def name_resolutions(axes: Axes, resolutions: Iterable[Resolution]) -> None:
    """Ticks where the resolutions are, as many as there is room for; of one size all share a tick, a line each."""
    places: dict[float, list[str]] = {}
    for each in sorted(set(resolutions)):
        places.setdefault(across(each), []).append(str(each))
    names = ["\n".join(each) for each in places.values()]
    shown = named_ticks(list(places), names, axes)
    axes.set_xticks([list(places)[index] for index in shown], [names[index] for index in shown])


def named_ticks(places: Sequence[float], names: Sequence[str], axes: Axes) -> list[int]:
    """Those of the ascending places to name on a level axis, by index; the ends are among them.

    A name may have several lines.
    """
    inches = axes.get_window_extent().width / axes.figure.dpi
    unit = (places[-1] - places[0]) / inches
    widths = [_LETTER * max(map(len, each.split("\n"))) for each in names]
    shown = [0]
    for index in range(len(places) - 1, 0, -1):
        if all(
            abs(places[index] - places[other]) > unit * (0.5 * (widths[index] + widths[other]) + _GAP)
            for other in shown
        ):
            shown.append(index)
    return sorted(shown)
