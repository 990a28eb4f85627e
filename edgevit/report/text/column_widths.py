"""Names in tables that are too wide for the terminal: both ends stay, as they are what tells names apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from string import ascii_uppercase

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["Lettered", "Shortened", "letters", "shorten", "whole_words"]

LEAST = 10
"""Cells that a name keeps, where there is any room for them."""
_ANY_WIDTH = 10_000
"""Columns of a terminal that nothing is too wide for."""


@dataclass(frozen=True)
class Lettered:
    """A table with names in its headings; where they are too wide, letters stand there, and the names below it."""

    table: Callable[[Sequence[str]], Table]
    """Of headings, one for each name."""
    names: Sequence[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self.table(self.names)
        if Measurement.get(console, options.update_width(_ANY_WIDTH), whole).maximum <= options.max_width:
            yield whole
            return
        short = letters(len(self.names))
        yield self.table(short)
        yield from (Text(f"{letter}: {name}") for letter, name in zip(short, self.names, strict=True))


def letters(count: int) -> list[str]:
    """A, B, C, and numbers behind Z."""
    return [ascii_uppercase[index] if index < 26 else str(index + 1) for index in range(count)]


def whole_words(table: Table) -> Table:
    """The same table, its cells and the words of its headings never cut: on a narrow terminal headings take lines."""
    for column in table.columns:
        words = str(column.header).split() + [line for cell in column.cells for line in str(cell).split("\n")]
        column.min_width = max(map(cell_len, words), default=0)
        column.no_wrap = column.min_width >= cell_len(str(column.header))  # only others have anything to give
    return table


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
