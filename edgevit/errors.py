"""The host's branch of the error tree; the root and the runtime's branch live in edgevit_runtime.

EdgeViTError
├── ArtefactError, ResolutionError, PictureError, BackendError   (edgevit_runtime.errors)
├── ConfigError        a name or number that no model, recipe or option can have
│   └── OptionError    ... or options that do not go together: wrong usage, to a command
├── ModelError         a .keras file that is missing or is not an edgevit model
├── CheckpointError    a checkpoint that does not fit the variant, tensor by tensor
├── DataError          a picture folder that cannot be used
├── TrainingError      a training run that cannot go on
├── ConversionError    a model that does not become an artefact
│   └── AuditError     ... because the artefact would not run as its recipe promises
├── DocumentError      a profile or evaluation in JSON that is missing or is not what its schema promises
├── ProfileError       a measurement that cannot be made, or says too little for a curve
├── DeviceError        a device that cannot be reached, or does not do what it is asked to
├── BudgetError        no resolution fits the latency budget
└── SlowerError        a profile is slower than the one it was held against, by more than was allowed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from edgevit_runtime.errors import (
    ArtefactError,
    BackendError,
    EdgeViTError,
    PictureError,
    ResolutionError,
)

__all__ = [
    "ArtefactError",
    "AuditError",
    "BackendError",
    "BudgetError",
    "CheckpointError",
    "ConfigError",
    "ConversionError",
    "DataError",
    "DeviceError",
    "DocumentError",
    "EdgeViTError",
    "ModelError",
    "OptionError",
    "PictureError",
    "ProfileError",
    "ResolutionError",
    "SlowerError",
    "TrainingError",
    "unknown_key",
]


class ConfigError(EdgeViTError):
    """A name or number that no model, recipe or option can have."""


class OptionError(ConfigError):
    """Options do not go together."""


class ModelError(EdgeViTError):
    """A `.keras` file is missing or is not an edgevit model."""


class CheckpointError(EdgeViTError):
    """A checkpoint does not fit the variant it was read as."""


class DataError(EdgeViTError):
    """A picture folder cannot be used."""


class TrainingError(EdgeViTError):
    """A training run cannot go on."""


class ConversionError(EdgeViTError):
    """A model does not become an artefact."""


class AuditError(ConversionError):
    """The artefact would not run as its recipe promises."""


class DocumentError(EdgeViTError):
    """A JSON document is missing, is not JSON, or does not hold what its schema promises."""


class ProfileError(EdgeViTError):
    """A measurement cannot be made, or there is too little of it for a curve."""


class DeviceError(EdgeViTError):
    """A device cannot be reached, or does not do what it is asked to."""


class BudgetError(EdgeViTError):
    """No resolution of the ladder fits the latency budget."""


class SlowerError(EdgeViTError):
    """A profile is slower than the one that it was held against, by more than was allowed."""


def unknown_key(what: str, key: str, valid: Iterable[str], meant: str | None = None) -> ConfigError:
    """The error for a key that a registry does not hold: names what is meant, or the nearest match, and every key."""
    names = list(valid)
    key = key if len(key) <= 60 else f"{key[:57]}..."
    near = get_close_matches(key, names, n=1) if meant is None else [meant]
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"unknown {what} {key!r}{hint} (known: {', '.join(names)})")
