"""What may be given in more than one form: as Python has it, or as the command line writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from edgevit.data.labels import read_labels
from edgevit.errors import ConfigError, unknown_key
from edgevit_runtime.cli.option_words import instead, meant
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolutions, parse_resolutions

if TYPE_CHECKING:
    from edgevit.tasks import Option

__all__ = [
    "Labels",
    "OneOrMore",
    "Resolutions",
    "Texts",
    "Words",
    "as_labels",
    "as_ladder",
    "as_modules",
    "as_paths",
    "as_texts",
    "as_words",
    "check_known",
    "in_known_words",
]

P = ParamSpec("P")
R = TypeVar("R")

Resolutions = str | Iterable[ResolutionLike]
"""[96, 224, "640x384"], or "96,224,640x384"."""
Labels = str | Path | Sequence[str]
"""Names in index order, or the path of a file with one a line."""
OneOrMore = str | Path | Sequence[str | Path]
"""A path or several."""
Texts = str | Sequence[str]
"""A text or several."""
Words = str | Sequence[str]
"""["vit-nano", "vit-tiny/8"], or "vit-nano,vit-tiny/8"."""


def as_ladder(given: Resolutions | None) -> tuple[Resolution, ...]:
    """Ascending, each once; empty where nothing is given. Raises `ResolutionError`."""
    if given is None:
        return ()
    return parse_resolutions(given) if isinstance(given, str) else as_resolutions(given)


def as_labels(given: Labels | None) -> tuple[str, ...] | None:
    """The names themselves; a lone text is a path. Raises `ConfigError` or `DataError` for a file without names."""
    if given is None:
        return None
    return tuple(read_labels(Path(given)) if isinstance(given, str | Path) else given)


def as_paths(*given: OneOrMore) -> tuple[Path, ...]:
    """In the order given: paths one by one, or several together."""
    return tuple(Path(path) for each in given for path in ((each,) if isinstance(each, str | Path) else each))


def as_modules(given: OneOrMore) -> tuple[str, ...]:
    """Python modules by name, or as files."""
    return (str(given),) if isinstance(given, str | Path) else tuple(map(str, given))


def as_texts(given: Texts) -> tuple[str, ...]:
    """In the order given, commas and all."""
    return (given,) if isinstance(given, str) else tuple(given)


def as_words(given: Words | None) -> tuple[str, ...]:
    """In the order given, without blanks."""
    words = given.split(",") if isinstance(given, str) else given or ()
    return tuple(word.strip() for word in words if word.strip())


def check_known(given: Mapping[str, Any], function: Callable[..., Any], options: Sequence[Option]) -> Mapping[str, Any]:
    """`given` itself: the keywords of a call that are no parameters of `function`, and so should be tasks' options.

    Raises `ConfigError` for one that is not: it may be a parameter that was mistyped.
    """
    of_tasks = [option.name for option in options]
    for name in given:
        if name not in of_tasks:
            raise _unknown_option(name, [*_named(function), *of_tasks])
    return given


def in_known_words(function: Callable[P, R]) -> Callable[P, R]:
    """The function itself, but that a wrong call of it is a `ConfigError`, not a `TypeError`.

    That says which word is meant: other tools have others (`lr`), and so has the command line (`from`), and several
    files are one list.
    """

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        own = _named(function)
        if not any(each.kind is each.VAR_KEYWORD for each in signature(function).parameters.values()):
            for name in options:
                if name not in own:
                    raise _unknown_option(name, own)
        _check_unnamed(function, arguments, options)
        return function(*arguments, **options)

    return call


def _named(function: Callable[..., Any]) -> list[str]:
    return [each.name for each in signature(function).parameters.values() if each.kind is not each.VAR_KEYWORD]


def _unknown_option(name: str, known: Sequence[str]) -> ConfigError:
    """By the words that people type on the command line: there one is changed for another, here it is said."""
    words = {f"--{each.rstrip('_').replace('_', '-')}": each for each in known}
    word = f"--{name.replace('_', '-')}"
    how = instead(word, words)
    if how is not None:
        return ConfigError(f"unknown option {name!r}: {how}")
    return unknown_key("option", name, known, words.get(meant(word, words)))


def _check_unnamed(function: Callable[..., Any], arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for more values without a name than the function has, or for one that is named as well."""
    known = signature(function).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in known):
        return
    unnamed = [each for each in known if each.kind is each.POSITIONAL_OR_KEYWORD]
    twice = [each.name for each in unnamed[: len(arguments)] if each.name in options]
    if len(arguments) <= len(unnamed) and not twice:
        return
    name, first = getattr(function, "__name__", ""), unnamed[0]
    if first.annotation == "OneOrMore":
        raise ConfigError(f"{name} takes several {first.name} as one list: {name}([FIRST, SECOND], ...)")
    if twice:
        raise ConfigError(f"{name} was given {twice[0]!r} twice, once by its place")
    places = ", ".join(each.name for each in unnamed)
    raise ConfigError(f"{name} takes {places} without a name, and all else by its name; {len(arguments)} came without")
