"""Options of tasks that are shares, from 0 to 1: least scores and most overlaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgevit.errors import ConfigError

__all__ = ["checked_share", "share_parser"]


def share_parser(option: str) -> Callable[[str], float]:
    """What makes `"0.3"` 0.3 for an option; it raises `ConfigError`."""

    def parse(text: str) -> float:
        try:
            share = float(text)
        except ValueError:
            raise _no_share(option, text) from None
        return checked_share(option, share, share)

    return parse


def checked_share(option: str, share: Any, otherwise: float) -> float:
    """The option's value, or `otherwise` where there is none. Raises `ConfigError` for what is no share."""
    if share is None:
        return otherwise
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
        raise _no_share(option, share)
    return float(share)


def _no_share(option: str, value: Any) -> ConfigError:
    return ConfigError(f"{option} is a number from 0 to 1, such as 0.3, not {value!r}")
