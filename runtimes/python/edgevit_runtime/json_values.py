"""Values of a JSON document that somebody else wrote, each held against what it may be.

All raise `ValueError`, in words that follow the name of a document.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["check_tree", "flag", "items", "number", "record", "shape", "share", "text", "texts", "whole"]

LARGEST = 2**53
"""Whole numbers up to this are exact as a float64, which is what JSON's numbers are elsewhere."""
MAX_DIMENSIONS = 4


def check_tree(value: Any) -> None:
    """Whether everything in it can be handed on: finite numbers, and text of characters that UTF-8 holds."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += (*each, *each.values())
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            _text(each, "each word")
        elif isinstance(each, float) and not abs(each) < math.inf:
            raise ValueError("it holds a number that is none")


def whole(values: Mapping[str, Any], key: str, least: int = 0, most: int = LARGEST) -> int:
    """A whole number."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(key, f"a whole number from {least} to {most}", value)
    return value


def number(values: Mapping[str, Any], key: str) -> float:
    """A finite number."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        raise _wrong(key, "a number", value)
    try:
        return float(value)
    except OverflowError:
        raise _wrong(key, "a number", value) from None


def share(values: Mapping[str, Any], key: str) -> float:
    """A number from 0 to 1."""
    value = number(values, key)
    if not 0.0 <= value <= 1.0:
        raise _wrong(key, "a number from 0 to 1", value)
    return value


def text(values: Mapping[str, Any], key: str) -> str:
    """Words, of characters that can be printed into any file."""
    return _text(values.get(key), key)


def texts(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Several."""
    return tuple(_text(each, key) for each in items(values, key))


def flag(values: Mapping[str, Any], key: str) -> bool:
    """True or false."""
    value = values.get(key)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def items(values: Mapping[str, Any], key: str) -> Sequence[Any]:
    """A list."""
    value = values.get(key)
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    return value


def record(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object."""
    value = values.get(key)
    if not isinstance(value, dict):
        raise _wrong(key, "an object", value)
    return value


def shape(values: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """A tensor's: the batch of 1 first."""
    sizes = tuple(whole({key: each}, key, 1, 2**31 - 1) for each in items(values, key))
    if not 1 <= len(sizes) <= MAX_DIMENSIONS or sizes[0] != 1:
        raise _wrong(key, f"a batch of 1 and up to {MAX_DIMENSIONS - 1} more sizes", list(sizes))
    return sizes


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _wrong(key, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise _wrong(key, "text that UTF-8 can hold", value) from None
    return value


def _wrong(key: str, wanted: str, value: Any) -> ValueError:
    shown = ascii(value)
    return ValueError(f"{key} is {wanted}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")
