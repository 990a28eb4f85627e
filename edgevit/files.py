"""Files written whole or not at all, as `atomic_write` does it, with the host's errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import ConfigError, EdgeViTError
from edgevit_runtime import atomic_write

__all__ = ["already_there", "check_output", "check_place", "check_writable", "replacing", "write_bytes", "write_text"]


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Raises `ConfigError` where `path` cannot become a file, before any work is done for it; see `atomic_write`.

    overwrite: whether a file that is there may be replaced.
    """
    with _as_config_error():
        atomic_write.check_place(path)
    if not overwrite and os.path.lexists(path):
        raise already_there(path)
    with _as_config_error():
        atomic_write.check_writable(path, overwrite=overwrite)


def check_output(path: Path, suffix: str, *, overwrite: bool) -> None:
    """As `check_writable`; and `path` must end in `suffix`: no slip replaces a profile by a report."""
    check_place(path)
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path} must end in {suffix}")
    check_writable(path, overwrite=overwrite)


def check_place(path: Path) -> None:
    """Raises `ConfigError` where no file of that name can be: there is no such folder, or a folder has that name."""
    with _as_config_error():
        atomic_write.check_place(path)


def already_there(path: Path) -> ConfigError:
    """What to raise for a finished file or folder that nobody asked to replace."""
    return ConfigError(f"{atomic_write.already_there(path)} (in Python: overwrite=True)")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path in the folder of `path`, with its suffix: what is written there becomes `path` at the end.

    Raises `ConfigError`, and leaves what was there and nothing else, if that fails.
    """
    check_place(path)
    try:
        with atomic_write.replacing(path) as partial:
            yield Path(partial)
    except OSError as error:
        raise ConfigError(str(atomic_write.not_written(path, error))) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Puts `content` at `path`. Raises `ConfigError`, and leaves what was there, if that fails."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Puts `text`, as UTF-8 with the line ends it has, at `path`; otherwise as `write_bytes`."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def _as_config_error() -> Iterator[None]:
    try:
        yield
    except EdgeViTError as error:
        raise ConfigError(str(error)) from error
