"""The lines of a page of docs, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from edgevit_runtime.cli import main as on_device


def typed_lines(page: str, smaller: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Program and words of each line; smaller: words in the place of others, for less work. Training is one epoch."""
    found = []
    for line in re.findall(r"^    (edgevit(?:-run)? .*)$", page, re.MULTILINE):
        program, *words = (smaller.get(word, word) for word in shlex.split(line, comments=True))
        if words[0] == "train":
            words += ["--epochs", "1", "--batch", "8"]
        found.append((program, words))
    return found


def answer(program: str, words: list[str], run: Any, capsys: Any) -> str:
    """What a line prints; it must not fail."""
    if program == "edgevit":
        code, out, err = run(*words)
    else:
        with pytest.raises(SystemExit) as stop:
            on_device.main(words)
        code, (out, err) = int(stop.value.code or 0), capsys.readouterr()
    assert code == 0, (program, words, err)
    return str(out)
