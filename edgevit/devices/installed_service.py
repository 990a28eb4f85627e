"""A service on a device: `edgevit-run serve`, which starts again by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["PORT", "InstalledService"]

PORT = 8400
"""As `edgevit-run serve` has it."""


@dataclass(frozen=True)
class InstalledService:
    """A service that runs on a device and answers there."""

    unit: str
    """Its file, from the root."""
    url: str
    """Where it takes pictures, on the device itself."""
    starts_with_the_machine: bool
    """Or with the first log-in of the account."""
    hint: str
    """What makes it start with the machine; empty where it does."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
