"""What accuracy-aware conversion found: the parts by what they lose and cost, the mixes tried, and the one chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from converters.quantize.post_training import CalibrationStatistics
from converters.quantize.recipes import Recipe
from converters.search.drop import Drop
from edgevit_runtime.resolution import Resolution


@dataclass(frozen=True)
class Part:
    """One class of ops in one block, or outside of all."""

    block: int | str
    kind: str
    loss: float
    """Where this part alone is rounded: of scores the KL divergence, of what other heads put out its noise
    (`converters.search.output_losses`)."""
    cost_ms: float
    """What taking it out adds to the latency; negative where that makes it faster."""
    taken_out: bool = False


@dataclass(frozen=True)
class Trial:
    """An artefact with the first `parts` of the order taken out, on the validation pictures."""

    parts: int
    metric: str
    """The key of the figure that the task goes by."""
    share: float
    """That figure."""
    drop: Drop

    def to_dict(self) -> dict[str, Any]:
        return {"parts": self.parts, self.metric: self.share, **self.drop.to_dict()}


@dataclass(frozen=True)
class Selection:
    recipe: Recipe
    base: Recipe
    islands: str
    max_drop_points: float
    resolution: Resolution
    parts: tuple[Part, ...]
    """In the order in which they are taken out."""
    trials: tuple[Trial, ...]
    chosen: Trial
    task: str
    float_share: float
    """What the float model has, by the task's metric."""
    before_ms: float
    after_ms: float
    set: str
    pictures: int
    seen: CalibrationStatistics | None = None

    @property
    def asked(self) -> dict[str, float | str]:
        """For the manifest."""
        return {"points": self.max_drop_points, "resolution": self.resolution.to_json()}

    def to_dict(self) -> dict[str, Any]:
        """The `edgevit.selection/1` document; drops in fractions (0.003 is 0.3 points)."""
        plain = {"max_drop_points", "islands", "task", "before_ms", "after_ms", "set", "pictures"}
        return {
            "schema": "edgevit.selection/1",
            "recipe": self.recipe.name,
            "base": self.base.name,
            **{key: value for key, value in vars(self).items() if key in plain},
            "metric": self.chosen.metric,
            f"float_{self.chosen.metric}": self.float_share,
            "resolution": self.resolution.to_json(),
            "chosen": self.chosen.to_dict(),
            "trials": [each.to_dict() for each in self.trials],
            "parts": [asdict(each) for each in self.parts],
        }
