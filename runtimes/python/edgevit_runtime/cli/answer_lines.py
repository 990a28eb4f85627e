"""What `edgevit-run` prints of one picture after the other: a JSON object each, or lines for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from edgevit_runtime.cli.picture_sources import Named, named_pictures
from edgevit_runtime.errors import PictureError
from edgevit_runtime.tasks.drawings import Drawings
from edgevit_runtime.terminal import complain, one_line

if TYPE_CHECKING:
    import argparse

    from edgevit_runtime.resolution import Resolution


class Printed(Protocol):
    """What is printed as JSON has this, or `outline()` where that is all that is printed of it."""

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""


class PictureAnswer(Printed, Protocol):
    """What the results of all tasks have."""

    @property
    def resolution(self) -> Resolution: ...

    @property
    def latency_ms(self) -> float: ...

    @property
    def budget_met(self) -> bool | None: ...


Lines = Callable[[str, Any], "list[str]"]
"""(what a picture is called, its result) -> what people read of it."""


def heading(name: str, result: PictureAnswer) -> str:
    """`dog.jpg  (224 px, 12.3 ms)`"""
    late = "" if result.budget_met in (None, True) else ", over the budget"
    return f"{one_line(name)}  ({result.resolution} px, {result.latency_ms:.1f} ms{late})"


def print_answer(name: str, result: Printed | PictureError, lines: Lines, *, as_json: bool) -> bool:
    """Prints what came of a picture; False where that is an error."""
    if isinstance(result, PictureError):
        if as_json:
            print(json.dumps({"file": name, "error": str(result)}), flush=True)
        else:
            complain("edgevit-run", result)
        return False
    if as_json:
        document = getattr(result, "outline", result.to_dict)()
        print(json.dumps({"file": name, **document}), flush=True)
    else:
        print("\n".join(lines(name, result)), flush=True)
    return True


def add_picture_options(parser: argparse.ArgumentParser, *, draw: str, as_json: str) -> None:
    """What the commands that draw over pictures take. draw, as_json: what `--draw` and `--json` do, for their help."""
    parser.add_argument("pictures", nargs="+", metavar="picture", help="files, folders, or - for standard input")
    parser.add_argument("--draw", metavar="DIR", help=draw)
    parser.add_argument("--overwrite", action="store_true", help="replace drawings that are there already")
    parser.add_argument("--resolution", help="which of the artefact's resolutions, such as 224 or 640x384")
    parser.add_argument("--json", action="store_true", help=as_json)


def answer_pictures(
    options: argparse.Namespace,
    answers: Callable[[Sequence[Named]], Iterable[Printed | PictureError]],
    lines: Lines,
    drawn: Callable[[Any, Any], Any],
) -> int:
    """Prints an answer for each picture that the options name, and draws it where they say so; gives the exit code.

    answers: what comes of the pictures, in their order. drawn: (Pillow's picture, result) -> another picture.
    """
    drawings = None
    if options.draw:
        folders = [each for each in options.pictures if os.path.isdir(each)]
        drawings = Drawings(options.draw, options.command, folders, overwrite=options.overwrite)
    pictures = list(named_pictures(options.pictures))
    if drawings is not None:
        drawings.check([name for name, _ in pictures])
    failed = 0
    for (name, source), result in zip(pictures, answers(pictures)):
        if not print_answer(name, result, lines, as_json=options.json):
            failed += 1
        elif drawings is not None:
            drawings.write(name, source, lambda picture, result=result: drawn(picture, result))  # type: ignore[misc]
    return 1 if failed else 0
