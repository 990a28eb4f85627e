"""A head that reads all tokens, as data: `DenseHead`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from edgevit.errors import ConfigError, unknown_key

__all__ = ["FORMS", "DenseHead"]

FORMS: dict[str, dict[str, str]] = {
    "segment": {
        "linear": "one linear layer on each token",
        "conv": "the mean of the last two blocks' tokens, and two 3x3 convolutions between which the map doubles",
    },
}
"""By task, what its head may be made of."""

LARGEST = {"outputs": 4096, "width": 4096}


@dataclass(frozen=True)
class DenseHead:
    """One head of a model that reads all tokens: what for, and what it is made of."""

    task: str
    """A key of `FORMS`."""
    outputs: int
    """How many numbers it gives for each place: one for each class."""
    labels: tuple[str, ...] = ()
    """What they are called, in their order; or empty."""
    form: str = "conv"
    """A key of the task's `FORMS`."""
    width: int = 64
    """The channels of its hidden layers."""

    def __post_init__(self) -> None:
        if self.task not in FORMS:
            raise unknown_key("dense task", self.task, FORMS)
        if self.form not in FORMS[self.task]:
            raise unknown_key(f"form of a {self.task} head", self.form, FORMS[self.task])
        for name, most in LARGEST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise ConfigError(
                    f"{name} of a {self.task} head must be a whole number from 1 to {most}, not {value!r}"
                )
        object.__setattr__(self, "labels", tuple(self.labels))  # JSON gives lists
        if self.labels and len(self.labels) != self.outputs:
            raise ConfigError(f"{len(self.labels)} labels for a {self.task} head of {self.outputs}")

    @property
    def name(self) -> str:
        """As its weights are called: `segment_head/...`."""
        return f"{self.task}_head"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DenseHead:
        unexpected = sorted(set(values) - {field.name for field in fields(cls)})
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown entries of a head: {', '.join(unexpected)}")
        return cls(**values)
