"""What may be given in more than one form: as Python has it, or as the command line writes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgevit.data.labels import read_labels
from edgevit.errors import unknown_key
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolutions, parse_resolutions

if TYPE_CHECKING:
    from edgevit.tasks import Option

__all__ = [
    "Labels",
    "OneOrMore",
    "Resolutions",
    "Words",
    "as_labels",
    "as_ladder",
    "as_modules",
    "as_paths",
    "as_words",
    "check_known",
]

Resolutions = str | Iterable[ResolutionLike]
"""[96, 224, "640x384"], or "96,224,640x384"."""
Labels = str | Path | Sequence[str]
"""Names in index order, or the path of a file with one a line."""
OneOrMore = str | Path | Sequence[str | Path]
"""A path or several."""
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


def as_paths(given: OneOrMore) -> tuple[Path, ...]:
    """In the order given."""
    return (Path(given),) if isinstance(given, str | Path) else tuple(map(Path, given))


def as_modules(given: OneOrMore) -> tuple[str, ...]:
    """Python modules by name, or as files."""
    return (str(given),) if isinstance(given, str | Path) else tuple(map(str, given))


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
            own = (
                each for each in inspect.signature(function).parameters.values() if each.kind is not each.VAR_KEYWORD
            )
            raise unknown_key("option", name, [*(each.name for each in own), *of_tasks])
    return given
