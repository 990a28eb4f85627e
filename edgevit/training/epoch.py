"""What one epoch came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.resolution import Resolution, as_resolution


@dataclass(frozen=True)
class Epoch:
    """One epoch's means and what it left: the task's metric on the validation pictures, by resolution, 0 to 1."""

    number: int
    loss: float
    learning_rate: float
    images_per_s: float
    seconds: float
    judged: Mapping[Resolution, float]
    """Empty where it was not validated: see `Lesson.validations`."""
    count: int | None = None
    """How many pictures validated; None in the state of an older edgevit."""
    metric: str = "top1"

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.judged.values())))

    def to_dict(self) -> dict[str, Any]:
        """As JSON, where keys are text."""
        return {
            "epoch": self.number,
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "images_per_s": round(self.images_per_s, 1),
            "seconds": round(self.seconds, 1),
            "metric": self.metric,
            self.metric: {str(resolution): value for resolution, value in self.judged.items()},
            "val": self.count,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Epoch:
        metric = values.get("metric", "top1")
        judged = {as_resolution(resolution): value for resolution, value in values[metric].items()}
        return cls(
            values["epoch"],
            values["loss"],
            values["learning_rate"],
            values["images_per_s"],
            values["seconds"],
            judged,
            values.get("val"),
            metric,
        )
