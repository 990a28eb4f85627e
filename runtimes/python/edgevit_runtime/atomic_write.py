"""Files written whole or not at all: beside their place first, then renamed. The host writes by it, too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from edgevit_runtime.errors import EdgeViTError

_BEGIN, _END = ".edgevit-", ".partial"
_PAGE = bytes(4096)


def beside(path: str | os.PathLike[str]) -> str:
    """A path in the same folder that nobody uses, with the suffix of `path`: what writes there may go by it.

    Short, without the name of `path`: with that, one that is as long as a file system allows would be too long.
    """
    folder, name = os.path.split(os.fspath(path))
    return os.path.join(folder, f"{_BEGIN}{os.urandom(8).hex()}{_END}{os.path.splitext(name)[1]}")


def is_partial(name: str) -> bool:
    """Whether a file of this name is one that was not finished, or is not yet."""
    return name.startswith(_BEGIN) and _END in name


def check_writable(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raises `EdgeViTError` where `path` cannot become a file, before any work is done for it.

    overwrite: whether a file that is there may be replaced. Where there is none it is tried, with a page: rights do not
    tell of /proc, of names that are too long, or of a disk that is full.
    """
    check_place(path)
    if not overwrite and os.path.lexists(path):
        raise already_there(path)
    partial = beside(path)
    try:
        try:
            with open(partial, "wb") as file:
                file.write(_PAGE)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(partial)
    except OSError as error:
        raise not_written(path, error) from error


def check_place(path: str | os.PathLike[str]) -> None:
    """Raises `EdgeViTError` where no file of that name can be: there is no such folder, or a folder has that name."""
    folder = os.path.dirname(os.fspath(path)) or os.curdir
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # a name that is too long: Python 3.13's isdir says no more than that it is no folder
    except NotADirectoryError:
        pass  # said better below
    except OSError as error:
        raise not_written(path, error) from error
    if not os.path.isdir(folder):
        raise EdgeViTError(f"cannot write {os.fspath(path)}: there is no folder {folder}")
    if os.path.isdir(path):
        raise EdgeViTError(f"cannot write {os.fspath(path)}: it is a folder")


def already_there(path: str | os.PathLike[str]) -> EdgeViTError:
    """What to raise for a finished file or folder that nobody asked to replace."""
    return EdgeViTError(f"{os.fspath(path)} exists: replace it with --overwrite, or take another name")


def not_written(path: str | os.PathLike[str], error: OSError) -> EdgeViTError:
    """What to raise for an `OSError` that writing `path` met."""
    return EdgeViTError(f"cannot write {os.fspath(path)}: {error.strerror or error}")


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
