"""A head that reads all tokens, as data: `DenseHead`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from edgevit.errors import ConfigError, unknown_key

__all__ = ["FORMS", "OF_LAST_BLOCK", "DenseHead"]

FORMS: dict[str, dict[str, str]] = {
    "segment": {
        "linear": "one linear layer on each token",
        "conv": "the mean of the last two blocks' tokens, and two 3x3 convolutions between which the map doubles",
    },
    "detect": {
        "pyramid": "the mean of the last two blocks' tokens at three sizes, and 3x3 convolutions that they share"
    },
    "keypoints": {"transposed": "the mean of the last two blocks' tokens, twice doubled by transposed convolutions"},
}
"""By task, what its head may be made of."""
USUAL = {"segment": "conv", "detect": "pyramid", "keypoints": "transposed"}
"""By task, the form where nobody names one."""
OF_LAST_BLOCK = ("linear",)
"""Forms that read the last block's tokens alone; all others those of the last two."""
LARGEST_MARGIN = 2.0
"""Of a box's longer side: beyond it next to nothing of a crop is what it is about."""

LARGEST = {"outputs": 4096, "width": 4096}


@dataclass(frozen=True)
class DenseHead:
    """One head of a model that reads all tokens: what for, and what it is made of."""

    task: str
    """A key of `FORMS`."""
    outputs: int
    """How many numbers it gives for each place: one for each class, or for each point."""
    labels: tuple[str, ...] = ()
    """What they are called, in their order; or empty."""
    form: str = ""
    """A key of the task's `FORMS`; by default the task's `USUAL` one."""
    width: int = 64
    """The channels of its hidden layers."""
    skeleton: tuple[tuple[int, int], ...] = ()
    """Of keypoints: the pairs of points between which a line is drawn; or empty."""
    flips: tuple[int, ...] = ()
    """Of keypoints: which point each is in a mirror image, a left ear a right one; empty: each is itself."""
    margin: float | None = None
    """Of keypoints: by how much of its longer side a box was grown on each side before it was cut out for training;
    None: whole pictures were shown."""
    ignored: int | str | None = None
    """Of segment: the class, or the value, of its training masks that did not count; None: 255 alone."""

    def __post_init__(self) -> None:
        if self.task not in FORMS:
            raise unknown_key("dense task", self.task, FORMS)
        object.__setattr__(self, "form", self.form or USUAL[self.task])
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
        self._check_points()

    def _check_points(self) -> None:
        """What only a head for points has."""
        object.__setattr__(self, "skeleton", tuple(tuple(each) for each in self.skeleton))
        object.__setattr__(self, "flips", tuple(self.flips))
        for name in ("skeleton", "flips", "margin"):
            if self.task != "keypoints" and getattr(self, name) not in ((), None):
                raise ConfigError(f"a {self.task} head has no {name}: it is for keypoints")
        points = range(self.outputs)
        for pair in self.skeleton:
            if len(pair) != 2 or pair[0] == pair[1] or not set(pair) <= set(points):
                raise ConfigError(f"a skeleton joins two of {self.outputs} points, from 0, not {list(pair)}")
        if self.flips and (
            len(self.flips) != len(points)
            or not set(self.flips) <= set(points)
            or any(self.flips[self.flips[each]] != each for each in points)
        ):
            raise ConfigError(
                f"flips of {self.outputs} points name for each the one that it is in a mirror image, and for that one "
                f"the first, not {list(self.flips)}"
            )
        if self.ignored is not None and self.task != "segment":
            raise ConfigError(f"a {self.task} head has nothing ignored: that is for segment")
        if self.margin is not None and not 0.0 <= self.margin <= LARGEST_MARGIN:
            raise ConfigError(f"margin must be a share of a box from 0 to {LARGEST_MARGIN:g}, not {self.margin!r}")

    @property
    def name(self) -> str:
        """As its weights are called: `segment_head/...`."""
        return f"{self.task}_head"

    @property
    def reading(self) -> dict[str, Any]:
        """What readers of labelled pictures have to know of it (`edgevit.truths`)."""
        return {"margin": self.margin, "ignored_in_training": self.ignored}

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; what only points or masks have is left out where there is none."""
        values = {**asdict(self), "labels": list(self.labels), "flips": list(self.flips)}
        values["skeleton"] = [list(pair) for pair in self.skeleton]
        empty = [name for name in ("skeleton", "flips", "margin", "ignored") if values[name] in ([], None)]
        return {name: value for name, value in values.items() if name not in empty}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DenseHead:
        unexpected = sorted(set(values) - {field.name for field in fields(cls)})
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown entries of a head: {', '.join(unexpected)}")
        return cls(**values)
