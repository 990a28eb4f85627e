"""The command group: lazy commands, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import importlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import click

from edgevit.errors import EdgeViTError, unknown_key
from edgevit.quiet_keras import prepare_tensorflow
from edgevit.version import __version__
from edgevit_runtime import terminal

PROGRAM = "edgevit"

# Name -> (module, one line for --help). The line stands here so that --help imports none of them.
COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("edgevit.cli.train", "Train or fine-tune a ViT on a folder of pictures."),
    "import": ("edgevit.cli.import_", "Make a model from a checkpoint: timm, transformers, AugReg, KerasHub."),
    "convert": (
        "edgevit.cli.convert",
        "Compile a model to one .tflite artefact with a ladder of resolutions.",
    ),
    "relabel": ("edgevit.cli.relabel", "Give an artefact that compares texts other labels, in under a second."),
    "extract": ("edgevit.cli.extract", "Take one resolution out of an artefact, as a file of its own."),
    "recipes": ("edgevit.cli.recipes", "List the recipes: what each does to which ops, why, and what it costs."),
    "inspect": (
        "edgevit.cli.inspect",
        "Show what an artefact or a model holds: shape, size, labels, preprocessing.",
    ),
    "evaluate": ("edgevit.cli.evaluate", "Measure accuracy at each resolution, float against int8."),
    "sensitivity": ("edgevit.cli.sensitivity", "Measure which ops of which blocks a recipe loses accuracy by."),
    "profile": ("edgevit.cli.profile", "Measure latency at each resolution and fit t(N) = a + bN + cN²."),
    "compare": ("edgevit.cli.compare", "Put profiles of several devices, recipes or models side by side."),
    "predict": ("edgevit.cli.predict", "Predict another variant's latency from one profile of a device."),
    "plan": ("edgevit.cli.plan", "Choose variant, recipe and resolution for a device and a budget."),
    "deploy": ("edgevit.cli.deploy", "Put an artefact and what runs it on a device, and try it there."),
    "report": ("edgevit.cli.report", "Write one HTML file: the curve, accuracy, and a recommendation."),
    "synthetic": ("edgevit.cli.synthetic", "Draw the synthetic dial gauges, to try things out."),
}


GROUPS: dict[str, tuple[str, ...]] = {
    "Everyday": ("train", "import", "convert", "evaluate", "profile", "report", "deploy"),
    "What a file holds": ("inspect", "extract", "relabel"),
    "Recipes": ("recipes", "sensitivity"),
    "Several devices, models or recipes": ("compare", "predict", "plan"),
    "To try things out": ("synthetic",),
}
"""Of `edgevit --help`, each command once."""
OTHER_NAMES = {"info": "inspect", "eval": "evaluate", "benchmark": "profile", "export": "convert"}
"""What other tools call a command."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""A disk that fills up can stop any file, also those that nobody asked for: caches, what is packed for a device."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        name = OTHER_NAMES.get(name, name)
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{widest}}", COMMANDS[name][1]) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and args[0] not in OTHER_NAMES and not args[0].startswith("-"):
            raise click.UsageError(str(unknown_key("command", args[0], COMMANDS)))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgevit")
def _group() -> None:
    """Compile a Vision Transformer once, and know what each resolution costs.

    \b
    edgevit train / import  ->  model.keras
    edgevit convert         ->  model.tflite   int8, a ladder of resolutions in one file
    edgevit evaluate        ->  accuracy at each resolution
    edgevit profile         ->  latency at each resolution, and the curve through it
    edgevit report          ->  report.html
    edgevit deploy          ->  a device, its self-test passed
    """


def main(args: list[str] | None = None) -> None:
    """Runs the command line. Exit codes: 0 done, 1 an edgevit error, 2 wrong usage, 130 interrupted, 143 terminated."""
    prepare_tensorflow()
    if not sys.warnoptions:  # so are other libraries' warnings: `python -W default -m edgevit` shows them
        warnings.simplefilter("ignore")
    terminal.silence_pillow()
    _run(lambda: _group(args, prog_name="edgevit", standalone_mode=False))


class _Terminated(BaseException):
    """SIGTERM: as an interrupt, so that what is half done, here and on devices, is cleared away."""


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whoever asks again does not want to wait
    raise _Terminated


def _run(call: Callable[[], Any]) -> None:
    # Whoever has a handler, or ignores it (a test, a program that calls this), keeps that.
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        code = terminal.run(PROGRAM, lambda: _code(call))
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if "edgevit_runtime.engines.quiet" in sys.modules:  # only where an interpreter may have been at work
        sys.modules["edgevit_runtime.engines.quiet"].silence_exit()
    sys.exit(code)


def _code(call: Callable[[], Any]) -> int:
    try:
        result = call()
        return result if isinstance(result, int) else 0
    except terminal.OutputError:
        raise
    except EdgeViTError as error:
        terminal.complain(PROGRAM, error)
        return 1
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = f" {error.filename}" if error.filename else ""
        terminal.complain(PROGRAM, f"cannot write{where}: {error.strerror}")
        return 1
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        terminal.complain(PROGRAM, _with_notes("interrupted", error))
        return 130
    except _Terminated as error:
        terminal.complain(PROGRAM, _with_notes("terminated", error))
        return 128 + signal.SIGTERM


def _with_notes(word: str, error: BaseException) -> str:
    """`interrupted after epoch 1 of 4: ...`, where what was stopped has left a note of how far it came."""
    return " ".join([word, *getattr(error, "__notes__", ()), *getattr(error.__context__, "__notes__", ())])
