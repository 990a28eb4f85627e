"""What every command shares: where text goes, and `--json`.

With `--json` alone standard output carries the JSON and nothing else; tables and progress go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress, ProgressColumn

from edgevit.errors import ConfigError
from edgevit.files import check_writable, write_text
from edgevit_runtime.engines.quiet import quiet

_NO_JSON = (".txt", ".log", ".jsonl", ".yaml", ".yml", ".html")
"""What no command takes as an input: after `--json` it is meant as the file to write."""

F = TypeVar("F", bound=Callable[..., Any])


class JsonCommand(click.Command):
    """A command whose `--json` takes a file only when the next word ends in .json.

    Otherwise `edgevit inspect --json model.tflite` would overwrite the artefact with its own description.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        for index, word in enumerate(args):
            words.append(word)
            following = args[index + 1] if index + 1 < len(args) else ""
            if word == "--json" and Path(following).suffix in _NO_JSON and not Path(following).exists():
                raise ConfigError(f"the file for --json must end in .json, not {following}")
            if word == "--json" and not following.endswith(".json"):
                words.append("-")
        return super().parse_args(ctx, words)


def json_option(function: F) -> F:
    """Adds `--json [FILE.json]` (use with `cls=JsonCommand`)."""
    return click.option(
        "--json",
        "json_target",
        metavar="[FILE.json]",
        help="Print JSON to standard output, or write it to a file.",
    )(function)


def quiet_option(function: F) -> F:
    """Adds `--quiet`: no tables, no progress."""
    return click.option("--quiet", "-q", is_flag=True, help="No tables, no progress.")(function)


def console_for(json_target: str | None, quiet: bool = False) -> Console:
    """The console for tables and progress: standard error when standard output is for JSON.

    Raises `ConfigError` where the JSON could not be written, before any work is done for it.
    """
    if json_target not in (None, "-"):
        check_writable(Path(str(json_target)))
    console = Console(stderr=json_target == "-", quiet=quiet, highlight=False)
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


def parse_share(text: str) -> float:
    """`"10%"` or `"0.1"` -> 0.1. Raises `ConfigError` for anything else; `10` alone could mean either."""
    word = text.strip()
    percent = word.endswith("%")
    try:
        share = float(word.removesuffix("%")) / (100.0 if percent else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= (10.0 if percent else 1.0):
        raise ConfigError(f"a share is written such as 10% or 0.1, not {text!r}")
    return share


def check_output(path: Path | None, suffix: str) -> None:
    """Raises `ConfigError` where `path` does not end in `suffix`, or cannot be written: no slip replaces a profile."""
    if path is None:
        return
    check_writable(path)
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path} must end in {suffix}")


def load_keras() -> None:
    """Imports Keras and TensorFlow for a command, without the log of TensorFlow's start.

    Its warnings go too: that a graph is traced once for each resolution is how mixed resolutions are trained.
    """
    with quiet():
        import keras  # noqa: F401
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")
