"""Counted things in words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """`1 picture`, `12 pictures`: for nouns that take an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
