"""`edgevit-run`: an artefact at work on the device. What each command does is in `commands`.

Exit codes: 0 done, 1 an error or a failed self-test, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from functools import partial
from typing import Any

from edgevit_runtime import terminal
from edgevit_runtime.cli import commands
from edgevit_runtime.cli.option_words import no_such_option, reworded
from edgevit_runtime.cli.picture_sources import add_camera_options
from edgevit_runtime.engines.quiet import silence_exit
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.tasks import JOINT, TASKS
from edgevit_runtime.tasks.task import Command
from edgevit_runtime.version import __version__

PROGRAM = "edgevit-run"
OTHER_NAMES = {"info": "inspect", "predict": "classify", "benchmark": "profile"}
"""What other tools, or we before, call a command."""
EXAMPLES: dict[str, tuple[str, ...]] = {
    "classify": ("classify plants.tflite rose.jpg --budget-ms 30", "classify plants.tflite photos/ --json --top-k 3"),
    "watch": ("watch plants.tflite incoming/ --json", "watch street.tflite incoming/ --task detect --json"),
    "serve": ("serve plants.tflite --port 8400 --budget-ms 50",),
    "inspect": ("inspect plants.tflite",),
    "self-test": ("self-test plants.tflite --threads 4",),
    "profile": ("profile plants.tflite --threads 1,2,4 --json pi.json", "profile plants.tflite --accelerator auto"),
}
"""What the help of a command ends with; tasks' commands have their own."""


def main(args: list[str] | None = None) -> None:
    """Runs the command line."""
    warnings.formatwarning = lambda message, *_, **__: f"{PROGRAM}: {message}\n"
    code = terminal.run(PROGRAM, lambda: _run(sys.argv[1:] if args is None else args))
    silence_exit()
    sys.exit(code)


def _run(args: list[str]) -> int:
    terminal.silence_pillow()
    options = _parse(_with_json_file(args))
    try:
        return int(options.run(options))
    except terminal.OutputError:
        raise
    except EdgeViTError as error:
        terminal.complain(PROGRAM, error)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse(args: list[str]) -> argparse.Namespace:
    """A command's options may stand anywhere among its words: argparse alone wants all pictures on one side of them."""
    parser, commands = _parsers()
    name = OTHER_NAMES.get(args[0], args[0]) if args else ""
    if name not in commands:
        return parser.parse_args(args)
    command = commands[name]
    known = command._option_string_actions  # argparse has no other way to ask for them
    words = reworded(args[1:], known)
    end = words.index("--") if "--" in words else len(words)
    for word in words[:end]:
        if word.startswith("--") and word.partition("=")[0] not in known:
            command.error(no_such_option(word, known))
    return command.parse_intermixed_args(words)


def _with_json_file(args: list[str]) -> list[str]:
    """`profile --json` takes a file only when the next word ends in .json: it must not be written over the artefact."""
    if args[:1] != ["profile"]:
        return args
    following = [*args[1:], ""]
    return [
        "--json=-" if word == "--json" and not after.endswith(".json") else word for word, after in zip(args, following)
    ]


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the whole line, and each command's own."""
    parser = argparse.ArgumentParser(
        prog="edgevit-run", description="Run an edgevit artefact on this machine.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"edgevit-run {__version__}")
    _without_colour(parser)
    subparsers = parser.add_subparsers(dest="command", required=True)

    def command(
        name: str,
        run: Any,
        text: str,
        *,
        engine: bool = True,
        classifies: bool = False,
        several: bool = False,
        examples: tuple[str, ...] = (),
    ) -> Any:
        sub = subparsers.add_parser(
            name,
            help=text,
            description=text,
            allow_abbrev=False,
            epilog="\n".join(["examples:", *(f"  edgevit-run {line}" for line in EXAMPLES.get(name, examples))]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(run=run, command=name)
        _without_colour(sub)
        sub.add_argument("model", help="the artefact (.tflite)")
        sub.add_argument("--trust", metavar="PUB", help="run only what this Ed25519 public key (PEM) signed")
        if engine:
            if several:
                sub.add_argument("--threads", default="1", help="threads for one inference; 1,2,4 measures each")
            else:
                sub.add_argument("--threads", type=int, default=1, help="threads for one inference (default 1)")
            sub.add_argument(
                "--accelerator",
                default="cpu",
                metavar="WHERE",
                help="cpu (default), gpu, or auto: whichever is faster; a GPU that fails the self-test is not used",
            )
            sub.add_argument("--backend", help=f"{', '.join(commands.BACKENDS)} (default: the first that works)")
            sub.add_argument("--no-weight-cache", action="store_true", help="keep nothing in the cache folder")
        if classifies:
            sub.add_argument("--resolution", help="which of the artefact's resolutions, such as 224 or 640x384")
            sub.add_argument("--budget-ms", type=float, help="use the largest resolution that stays within this")
            sub.add_argument("--top-k", type=int, default=5, metavar="K", help="how many classes to show (default 5)")
        return sub

    classify = command("classify", commands.classify, "Name what pictures show.", classifies=True)
    classify.add_argument("pictures", nargs="*", metavar="picture", help="files, folders, or - for standard input")
    add_camera_options(classify)
    watch = command("watch", commands.watch, "Answer about the pictures that appear in a folder.", classifies=True)
    watch.add_argument("folder", help="where pictures appear, or in folders below it")
    watch.add_argument("--task", help="what it is asked (default: classify, or the first that gives an answer)")
    watch.add_argument("--every", type=float, default=0.5, help="seconds between two looks (default 0.5)")
    watch.add_argument(
        "--existing", action="store_true", help="take those that are there already, too, each once: not after a restart"
    )
    watch.set_defaults(top_k=None)  # other tasks than classify have no such option
    watch.add_argument("--again", action="store_true", help="forget what earlier runs answered")
    serve = command("serve", commands.serve, "Answer over HTTP: POST a picture, get JSON.", classifies=False)
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)"
    )
    serve.add_argument("--port", type=int, default=8400, help="port (default 8400; 0 takes a free one)")
    serve.add_argument("--budget-ms", type=float, help="use the largest resolution that stays within this")
    serve.add_argument("--queue", type=int, default=16, help="requests that may wait; more get 503 (default 16)")
    serve.add_argument("--max-mb", type=float, default=20.0, help="largest picture file in MB (default 20)")
    serve.add_argument("--max-megapixels", type=float, default=25.0, help="largest picture (default 25)")
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that leads here, such as a proxy's"
    )
    inspect = command("inspect", commands.inspect, "Show what an artefact holds.", engine=False)
    test = command("self-test", commands.self_test, "Check that this machine computes what the artefact's author saw.")
    profile = command(
        "profile", commands.profile, "Measure the latency of each resolution on this machine.", several=True
    )
    profile.add_argument("--resolutions", help="some of the ladder, such as 96,640x384 (default: all of it)")
    profile.add_argument("--seconds", type=float, help="the most one resolution may take (default 3)")
    profile.add_argument("--duration", type=float, help="the most for timing all, pauses included, in seconds")
    profile.add_argument("--cpus", help="run on these processors only, such as 4-7")
    profile.add_argument(
        "--cool-down", type=float, default=60.0, help="the most to wait for a hot device, in seconds (default 60)"
    )
    profile.add_argument(
        "--sustained", type=float, metavar="SECONDS", help="then run one for so long, beyond --duration"
    )
    profile.add_argument("--sustained-at", metavar="RESOLUTION", help="which one (default: the artefact's)")
    profile.add_argument("--task", help="whose signatures to measure (default: classify, or the first there is)")
    profile.add_argument("--ops", action="store_true", help="where the time goes, beyond --duration")
    profile.add_argument("--json", metavar="[FILE.json]", help="print JSON, or write it to a file")
    profile.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    for module in (*TASKS.values(), JOINT):
        for each in importlib.import_module(module).COMMANDS:
            each.add(command(each.name, partial(_run_of_task, each), each.help, examples=each.examples))
    for sub in (classify, watch, inspect, test):
        sub.add_argument("--json", action="store_true", help="print JSON")
    return parser, subparsers.choices


def _without_colour(parser: argparse.ArgumentParser) -> None:
    """Python 3.14 would colour what it prints, and `terminal` shows the codes for that as escapes."""
    vars(parser)["color"] = False


def _run_of_task(command: Command, options: argparse.Namespace) -> int:
    return command.run(options, commands.open_model)
