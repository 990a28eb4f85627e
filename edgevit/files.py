"""Files written whole or not at all, as `atomic_write` does it, with errors that say which and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgevit.errors import ConfigError
from edgevit_runtime import atomic_write

__all__ = ["check_output", "check_writable", "replacing", "write_bytes", "write_text"]

_PAGE = bytes(4096)


def check_writable(path: Path) -> None:
    """Raises `ConfigError` where `path` cannot become a file, before any work is done for it.

    It is tried: rights do not tell of /proc, of names that are too long, or of a disk that is full to the last page.
    """
    try:
        _check_place(path)
        partial = Path(atomic_write.beside(path))
        try:
            partial.write_bytes(_PAGE)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot(path, error) from error


def check_output(path: Path, suffix: str) -> None:
    """Raises `ConfigError` where `path` does not end in `suffix`, or cannot be written: no slip replaces a profile."""
    check_writable(path)
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path} must end in {suffix}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path in the folder of `path`, with its suffix: what is written there becomes `path` at the end.

    Raises `ConfigError`, and leaves what was there and nothing else, if that fails.
    """
    try:
        _check_place(path)
        with atomic_write.replacing(path) as partial:
            yield Path(partial)
    except OSError as error:
        raise _cannot(path, error) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Puts `content` at `path`. Raises `ConfigError`, and leaves what was there, if that fails."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Puts `text`, as UTF-8 with the line ends it has, at `path`; otherwise as `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: there is no folder {path.parent}")
    with suppress(FileNotFoundError):
        path.lstat()  # a name that is too long: Python 3.13's is_dir() says no more than that it is no folder
    if path.is_dir():
        raise ConfigError(f"cannot write {path}: it is a folder")


def _cannot(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {path}: {error.strerror or error}")
