"""What every command of `edgevit` does alike: its help, what people type for its options, and `--json [FILE.json]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edgevit.errors import ConfigError, OptionError
from edgevit_runtime.cli.option_words import instead, no_such_option, reworded

__all__ = ["GroupedCommand"]

_NO_JSON = (".txt", ".log", ".jsonl", ".yaml", ".yml", ".html")
"""What no command takes as an input: after `--json` it is meant as the file to write."""
_ALWAYS_LAST = ("--overwrite", "--quiet", "--help")


class GroupedCommand(click.Command):
    """A command.

    everyday: the options that its help shows first, in this order; the others follow under a heading of their own.
    examples: command lines that its help ends with, without the leading `edgevit`.

    `--json` takes a file only when the next word ends in .json: otherwise `edgevit inspect --json model.tflite` would
    overwrite the artefact with its own description. Options that clash (`OptionError`) are wrong usage.
    """

    def __init__(
        self, *args: Any, everyday: Sequence[str] = (), examples: Sequence[str] = (), **attributes: Any
    ) -> None:
        super().__init__(*args, **attributes)
        self.everyday, self.examples = tuple(everyday), tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {word for each in self.get_params(ctx) for word in (*each.opts, *each.secondary_opts)}
        words = self._with_data(reworded(args, known), known)
        if "--json" in known:
            words = _with_json_file(words)
        try:
            return super().parse_args(ctx, words)
        except click.NoSuchOption as error:
            raise click.UsageError(no_such_option(error.option_name, known), ctx) from error

    def _with_data(self, words: list[str], known: set[str]) -> list[str]:
        """`--data FOLDER` is DATA, for a command that takes it as an argument; so is `--val`, unless it means more."""
        if "--data" in known or not any(
            isinstance(each, click.Argument) and each.name == "data" for each in self.params
        ):
            return words
        kept, data, take = [], [], iter(words)
        for word in take:
            name, equals, value = word.partition("=")
            if name in ("--data", "--val", "--validation") and name not in known and instead(name, known) is None:
                data += [value] if equals else [each for each in [next(take, None)] if each is not None]
            else:
                kept.append(word)
        return [*kept, *data]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error), ctx) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The everyday ones, then the others, then what every command has. Arguments are for the text above."""
        rows = {
            each.opts[-1] if each.opts[-1].startswith("--") else each.opts[0]: record
            for each in self.get_params(ctx)
            if not isinstance(each, click.Argument)  # click 8.5 would list their names, without a word
            and (record := each.get_help_record(ctx)) is not None
        }
        first = [rows.pop(word) for word in self.everyday]
        last = [rows.pop(word) for word in _ALWAYS_LAST if word in rows]
        for title, records in (
            ("Everyday options", first),
            ("More options" if first else "Options", [*rows.values(), *last]),
        ):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}edgevit {line}\n")


def _with_json_file(args: Sequence[str]) -> list[str]:
    words: list[str] = []
    for index, word in enumerate(args):
        words.append(word)
        following = args[index + 1] if index + 1 < len(args) else ""
        if word == "--json" and Path(following).suffix in _NO_JSON and not Path(following).exists():
            raise ConfigError(f"the file for --json must end in .json, not {following}")
        if word == "--json" and not following.endswith(".json"):
            words.append("-")
    return words
