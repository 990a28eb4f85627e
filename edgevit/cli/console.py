"""What every command shares: where text goes, and `--json`.

With `--json` alone standard output carries the JSON and nothing else; tables and progress go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import Progress, ProgressColumn
from rich.segment import Segment

from edgevit.files import check_writable, write_text
from edgevit_runtime.terminal import harmless, trusted

F = TypeVar("F", bound=Callable[..., Any])


class _HarmlessConsole(Console):
    """Names and labels that others wrote neither move the cursor nor colour the screen; only rich's codes do."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


def json_option(function: F) -> F:
    """Adds `--json [FILE.json]` and `--overwrite`, for that file as for all others."""
    return click.option(
        "--json",
        "json_target",
        metavar="[FILE.json]",
        help="Print JSON to standard output, or write it to a file.",
    )(overwrite_option(function))


def overwrite_option(function: F) -> F:
    """Adds `--overwrite`: without it no file that is there is replaced, whatever the option that names it."""
    return click.option("--overwrite", is_flag=True, help="Replace files that are there already.")(function)


def quiet_option(function: F) -> F:
    """Adds `--quiet`: no tables, no progress."""
    return click.option("--quiet", "-q", is_flag=True, help="No tables, no progress.")(function)


def console_for(json_target: str | None, quiet: bool = False, overwrite: bool = False) -> Console:
    """The console for tables and progress: standard error when standard output is for JSON.

    Raises `ConfigError` where the JSON could not be written, or would replace a file unasked, before any work for it.
    """
    if json_target not in (None, "-"):
        check_writable(Path(str(json_target)), overwrite=overwrite)
    to_errors = json_target == "-"
    stream = trusted(sys.stderr if to_errors else sys.stdout)
    console = _HarmlessConsole(file=stream, stderr=to_errors, quiet=quiet, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 120  # a pipe has no width of its own, and 80 breaks lines that somebody will copy
    return console


def progress_bar(console: Console, *columns: ProgressColumn | str) -> Progress:
    """A progress bar that leaves nothing behind, and shows nothing where nobody watches (a pipe, a log, --quiet)."""
    return Progress(*columns, console=console, transient=True, disable=console.quiet or not console.is_terminal)


def emit_json(payload: dict[str, Any], target: str | None) -> None:
    """Prints `payload` for `-`, writes it to a file otherwise; does nothing without a target."""
    if target is None:
        return
    text = json.dumps(payload, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)
