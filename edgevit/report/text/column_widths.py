"""Names in tables that are too wide for the terminal: both ends stay, as they are what tells names apart."""

from __future__ import annotations

from itertools import accumulate

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

__all__ = ["Shortened", "shorten"]

LEAST = 10
"""Cells that a name keeps, where there is any room for them."""


class Shortened:
    """A cell or a heading, possibly of several lines, that gives up its lines' middles rather than being broken."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        longest = max(map(cell_len, self.lines))
        return Measurement(min(longest, LEAST), longest)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("\n".join(shorten(line, options.max_width) for line in self.lines), style="")


def shorten(text: str, width: int) -> str:
    """`deit_tiny_patch16-int8.tflite`, 18 -> `deit_tin…t8.tflite`: at most `width` cells of a terminal, at least one.

    Chinese, Japanese and Korean characters take two cells each, and are never halved.
    """
    if cell_len(text) <= width:
        return text
    kept = max(width - 1, 0)
    head = _fitting(text, kept // 2)
    tail = _fitting(text[::-1], kept - cell_len(head))[::-1]
    return f"{head}…{tail}"


def _fitting(text: str, width: int) -> str:
    """As many of the first characters as fit into `width` cells."""
    ends = accumulate(map(cell_len, text))
    return "".join(each for each, end in zip(text, ends, strict=True) if end <= width)
