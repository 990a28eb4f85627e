"""A chart of the report: drawn twice, for a wide window and for a phone's, of which the page shows one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevit.report.charts.canvas import NARROW, WIDE, chart, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ResponsiveChart", "picture"]


@dataclass(frozen=True)
class ResponsiveChart:
    """Both drawings as SVG elements, and by their names where their axes are (`canvas.chart`)."""

    svg: str
    charts: dict[str, dict[str, Any]]


def picture(draw: Callable[[float], Figure], *, name: str, description: str, across: bool = False) -> ResponsiveChart:
    """What `draw` makes of a width in inches; `across`: its latency is its first axis.

    A chart that only shrank to a phone's width would have letters that nobody can read.
    """
    drawings, charts = [], {}
    for each, width in ((name, WIDE), (f"{name}-narrow", NARROW)):
        figure = draw(width)
        drawings.append(svg(figure, name=each, description=description))
        charts[each] = chart(figure, across=across)
    return ResponsiveChart("\n".join(drawings), charts)
