"""What a run leaves in its folder before it trains."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgevit.data.folders import SPLIT_FILE
from edgevit.errors import ConfigError
from edgevit.files import write_text


def make_folder(folder: Path) -> None:
    """Raises `ConfigError` where it cannot be made."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the run's folder {folder}: {error.strerror}") from error


def record_split(folder: Path, parts: Mapping[str, Sequence[Path]]) -> None:
    """split.csv: which picture trained and which validated, where pictures have no classes of their own."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "split"])
    for part, files in parts.items():
        table.writerows([file, part] for file in files)
    write_text(folder / SPLIT_FILE, text.getvalue())
