"""The options of a command that belong to tasks: each task says itself which it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from edgevit.tasks import Option

__all__ = ["options_of_tasks"]


def options_of_tasks(options: Sequence[Option]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that gives a command these options, in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = click.option(
                f"--{option.name.replace('_', '-')}", is_flag=option.parse is None, help=option.help
            )(command)
        return command

    return decorate
