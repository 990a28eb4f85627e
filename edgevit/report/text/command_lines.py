"""Commands that are printed to be copied into a shell: with `soft_wrap=True`, so that each stays one line."""

from __future__ import annotations

import shlex

__all__ = ["command_line"]


def command_line(*words: object) -> str:
    """`"convert", Path("my vit.keras")` -> `edgevit convert 'my vit.keras'`."""
    return shlex.join(["edgevit", *map(str, words)])
