"""What `edgevit-run` prints of one picture after the other: a JSON object each, or lines for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from edgevit_runtime.cli.picture_sources import (
    Named,
    add_camera_options,
    camera_frames,
    check_sources,
    named_pictures,
)
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
GivesAnswers = Callable[[Sequence[Named]], "Iterable[Printed | PictureError]"]
"""What comes of pictures, in their order."""
DrawsAnswer = Callable[[Any, Any], Any]
"""(Pillow's picture, its result) -> a copy with the result drawn over it."""


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


def print_cautions(tasks: Iterable[object]) -> None:
    """Says what is to be known of tasks that are asked without more than a picture."""
    for task in tasks:
        if caution := getattr(task, "caution", ""):
            complain("edgevit-run", caution)


def add_picture_options(parser: argparse.ArgumentParser, *, draw: str, as_json: str) -> None:
    """What the commands that draw over pictures take. draw, as_json: what `--draw` and `--json` do, for their help."""
    parser.add_argument("pictures", nargs="*", metavar="picture", help="files, folders, or - for standard input")
    add_camera_options(parser)
    parser.add_argument("--draw", metavar="DIR", help=draw)
    parser.add_argument("--overwrite", action="store_true", help="replace drawings that are there already")
    parser.add_argument("--resolution", help="which of the artefact's resolutions, such as 224 or 640x384")
    parser.add_argument("--budget-ms", type=float, help="use the largest resolution that stays within this")
    parser.add_argument("--json", action="store_true", help=as_json)


def answer_pictures(
    options: argparse.Namespace,
    answers: GivesAnswers,
    lines: Lines,
    drawn: DrawsAnswer,
) -> int:
    """Prints an answer for each picture that the options name, and draws it where they say so; gives the exit code."""
    check_sources(options)
    drawings = None
    if options.draw:
        folders = [each for each in options.pictures if os.path.isdir(each)]
        drawings = Drawings(options.draw, options.command, folders, overwrite=options.overwrite)
    if options.camera is not None:
        return _answer_frames(options, answers, lines, drawn, drawings)
    pictures = list(named_pictures(options.pictures))
    if drawings is not None:
        drawings.check([name for name, _ in pictures])
    failed = 0
    for (name, source), result in zip(pictures, answers(pictures)):
        if not print_answer(name, result, lines, as_json=options.json):
            failed += 1
        elif drawings is not None:
            drawings.write(name, source, partial(_drawing, drawn, result))
    return 1 if failed else 0


def _answer_frames(
    options: argparse.Namespace, answers: GivesAnswers, lines: Lines, drawn: DrawsAnswer, drawings: Drawings | None
) -> int:
    """The same of a camera's frames, one after the other; the n-th is drawn as `camera-0-00000n`."""
    failed = 0
    with camera_frames(options) as frames:
        for number, (name, frame) in enumerate(frames, 1):
            drawing = f"camera-{options.camera}-{number:06}"
            if drawings is not None:
                drawings.check([drawing])
            for result in answers([(name, frame)]):
                if not print_answer(name, result, lines, as_json=options.json):
                    failed += 1
                elif drawings is not None:
                    drawings.write(drawing, frame, partial(_drawing, drawn, result))
    return 1 if failed else 0


def _drawing(drawn: DrawsAnswer, result: Any, picture: Any) -> Any:
    return drawn(picture, result)
