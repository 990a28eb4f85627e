"""Files written whole or not at all: beside their place first, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

from edgevit.errors import ConfigError

__all__ = ["check_writable", "write_bytes", "write_text"]


def check_writable(path: Path) -> None:
    """Raises `ConfigError` where `path` cannot become a file, before any work is done for it."""
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigError(f"cannot write {path}: it is a folder")


def write_bytes(path: Path, content: bytes) -> None:
    """Puts `content` at `path`. Raises `ConfigError`, and leaves what was there, if that fails."""
    check_writable(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Puts `text`, as UTF-8 with the line ends it has, at `path`; otherwise as `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))
