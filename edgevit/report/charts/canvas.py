"""What a picture is drawn on: colours by role, PNG on white, and SVG to stand inside a page.

Matplotlib's Figure, without pyplot and its global state. Colours are roles: in a PNG those of `ROLES` (after
Okabe and Ito's palette, told apart without colour vision too), in an SVG CSS variables of the same names, so
that the page decides, for light and for dark.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

from edgevit.latency.recommendation import Surety

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DARK",
    "NARROW",
    "ROLES",
    "SERIES",
    "WIDE",
    "chart",
    "drawable",
    "frame",
    "legend",
    "png",
    "state_role",
    "style",
    "svg",
]

WIDE, NARROW = 7.2, 4.0
"""Inches: a picture's width, and on a phone, where its letters stay as large as the page's."""

ROLES = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "muted": "#66707b",
    "rule": "#dfe3e8",
    "constant": "#8c959f",
    "linear": "#0072b2",
    "quadratic": "#d55e00",
    "budget": "#a8327d",
    "pick": "#00825f",
    "other": "#7d63c9",
    "amber": "#9a6700",
}
DARK = {
    "paper": "#14181d",
    "ink": "#e8ecf1",
    "muted": "#9aa5b1",
    "rule": "#2c333b",
    "constant": "#8c959f",
    "linear": "#56b4e9",
    "quadratic": "#f2994a",
    "budget": "#e58cc4",
    "pick": "#3ecf9f",
    "other": "#b3a1f2",
    "amber": "#e3b341",
}
"""The same roles on a dark page."""

SERIES = (
    ("linear", "o", "-"),
    ("quadratic", "s", "--"),
    ("pick", "D", "-."),
    ("other", "^", ":"),
    ("budget", "v", "-"),
    ("ink", "P", "--"),
    ("constant", "X", "-."),
)
"""Role, marker and line of each of several series: told apart by form as well as by colour."""

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgevit",
    "text.parse_math": False,  # a $ in a file name is a $
}

# From matplotlib's SVG document to an element of an HTML page.
_INLINE = (
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),  # a rule for *, which would reach the whole page
    (r"<!--.*?-->", ""),
    (r' xmlns(:\w+)?="[^"]*"', ""),  # HTML knows SVG without
    (r"xlink:href", "href"),
    (r'\bid="', 'id="{name}-'),
    (r'href="#', 'href="#{name}-'),
    (r"url\(#", "url(#{name}-"),
    (r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif"),
    (r'^<svg.*?(viewBox="[^"]*").*?>', r'<svg class="{shown}" \1 data-name="{name}" role="img" aria-label="{label}">'),
)


def state_role(state: Surety) -> str:
    """The colour of a recommendation: green only where it is sure."""
    return {"sure": "pick", "doubtful": "amber", "unknown": "linear", "missed": "budget"}[state]


def style() -> AbstractContextManager[None]:
    """Everything is drawn and saved inside this."""
    from matplotlib import rc_context

    return rc_context(_RC)


def drawable(text: str) -> str:
    """`text` on one line, without what the font has no glyph for: of that one would see boxes, and read warnings."""
    from matplotlib.font_manager import findfont, get_font

    glyphs = get_font(findfont("DejaVu Sans")).get_charmap()
    return " ".join("".join(each for each in text if ord(each) in glyphs or each.isspace()).split())


def png(figure: Figure, *, dots_per_inch: int = 160) -> bytes:
    """The figure as PNG on white."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dots_per_inch, facecolor=ROLES["paper"])
    return buffer.getvalue()


def svg(figure: Figure, *, name: str, description: str) -> str:
    """The figure as an SVG element for a page: no links, colours as CSS variables, `name` before every id."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    shown = "narrow" if _is_narrow(figure) else "wide"
    label = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\\", "/")
    for pattern, replacement in _INLINE:
        text = re.sub(pattern, replacement.format(name=name, label=label, shown=shown), text, flags=re.DOTALL)
    for role, colour in ROLES.items():
        text = text.replace(colour, f"var(--{role})")
    return text


def chart(figure: Figure, *, across: bool = False) -> dict[str, Any]:
    """Where the first axes of a saved figure lie in its SVG, and which values they span: for who draws on it.

    left, right, top, bottom are in the SVG's units; low and high are the values at bottom and top, or, where latency
    goes `across`, at left and right.
    """
    axes = figure.axes[0]
    box, (low, high) = axes.get_position(), axes.get_xlim() if across else axes.get_ylim()
    width, height = 72.0 * figure.get_figwidth(), 72.0 * figure.get_figheight()
    return {
        "left": round(box.x0 * width, 2),
        "right": round(box.x1 * width, 2),
        "top": round((1.0 - box.y1) * height, 2),
        "bottom": round((1.0 - box.y0) * height, 2),
        "low": float(low),
        "high": float(high),
        "log": (axes.get_xscale() if across else axes.get_yscale()) == "log",
        "across": across,
    }


def frame(axes: Axes, below: str, beside: str) -> None:
    """Quiet axes: named, with level rules only."""
    axes.set_facecolor("none")
    axes.set_xlabel(below, color=ROLES["muted"])
    axes.set_ylabel(beside, color=ROLES["muted"])
    axes.grid(axis="y", color=ROLES["rule"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color=ROLES["muted"], labelcolor=ROLES["muted"], length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(ROLES["muted"])


def _is_narrow(figure: Any) -> bool:
    return bool(figure.get_figwidth() < WIDE)


def legend(axes: Axes, place: Literal["upper left", "best"], *, first: str = "") -> None:
    """A legend that hides the rules behind it; what starts with `first` stands on top.

    In a narrow picture it stands below: inside it would hide what is drawn.
    """
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda index: not labels[index].startswith(first))
    below = _is_narrow(axes.figure)
    shown = (axes.figure if below else axes).legend(
        [handles[index] for index in order],
        [fill(labels[index], 46) if below else labels[index] for index in order],
        loc="outside lower left" if below else place,
        labelcolor=ROLES["ink"],
        fontsize=9,
        borderaxespad=0.7,
    )
    for index, handle, text in zip(order, shown.legend_handles, shown.get_texts(), strict=True):
        # What a script moves has an id, and its words with it; not every handle takes it over, and bars have none.
        name = getattr(handles[index], "get_gid", lambda: None)()
        if handle is not None and name:
            text.set_gid(f"{name}-words")
            handle.set_gid(f"{name}-key")
    shown.get_frame().set(facecolor=ROLES["paper"], edgecolor="none", alpha=1.0)
