"""Commands that are printed to be copied into a shell: with `soft_wrap=True`, so that each stays one line."""

from __future__ import annotations

import shlex

__all__ = ["command_line"]


def command_line(*words: object, program: str = "edgevit") -> str:
    """`"convert", Path("my vit.keras")` -> `edgevit convert 'my vit.keras'`. program: `edgevit-run` for a device."""
    return shlex.join([program, *map(str, words)])
