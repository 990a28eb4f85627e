"""Files written whole or not at all: beside their place first, then renamed. The host writes by it, too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_BEGIN, _END = ".edgevit-", ".partial"


def beside(path: str | os.PathLike[str]) -> str:
    """A path in the same folder that nobody uses, with the suffix of `path`: what writes there may go by it.

    Short, without the name of `path`: with that, one that is as long as a file system allows would be too long.
    """
    folder, name = os.path.split(os.fspath(path))
    return os.path.join(folder, f"{_BEGIN}{os.urandom(8).hex()}{_END}{os.path.splitext(name)[1]}")


def is_partial(name: str) -> bool:
    """Whether a file of this name is one that was not finished, or is not yet."""
    return name.startswith(_BEGIN) and _END in name


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """A path `beside` it: what is made there takes its place at the end. A failure leaves what was there, and no more.

    Raises `OSError` where it cannot be made or put in place.
    """
    partial = beside(path)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with contextlib.suppress(OSError):  # it has been renamed, as a rule
            os.unlink(partial)
