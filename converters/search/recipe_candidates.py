"""What a recipe is picked from for a kind of device, and the pick: as data, and by what was measured beforehand.

Of the built-in recipes for CPUs those are candidates that were measured to keep a model's accuracy. `recipe_choice`
says what each takes of a model at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from converters.quantize.recipes import RECIPES, Recipe
from edgevit.errors import ConversionError
from edgevit.latency.device_kinds import DeviceKind
from edgevit_runtime.resolution import Resolution

__all__ = ["BASELINE", "RecipeCandidate", "RecipeChoice", "candidates", "example", "measured", "quickest"]

BASELINE = "float32"
"""The recipe that others are held against, in time and in accuracy."""
MOST_DROP, LEAST_AGREEMENT = 0.002, 0.98
"""What a candidate may lose of the baseline's top-1, and how often its class must be the baseline's: `Recipe.measured`,
of 1300 pictures, which cannot tell less apart."""


@dataclass(frozen=True)
class RecipeCandidate:
    """One recipe on the kind of device."""

    recipe: Recipe
    share: float | None
    """Of the baseline's time; None where it cannot be told."""
    cycles: float | None = None
    """Of one inference, where they were counted."""
    ms: float | None = None
    """Estimated by them."""
    never_counted: tuple[str, ...] = ()
    """The kernels because of which it cannot be told."""
    possible: bool = True
    """Whether what it needs is there: pictures, or what the model learned in fine-tuning."""

    @property
    def drop(self) -> float:
        """Of top-1 on the model that recipes were measured with; negative where it gained some."""
        return _drop(self.recipe)

    def to_dict(self) -> dict[str, Any]:
        measured = self.recipe.measured
        return {
            "recipe": self.recipe.name,
            "estimated_ms": self.ms,
            "cycles": None if self.cycles is None else round(self.cycles),
            "over_float32": self.share,
            "drop": self.drop,
            "agreement": measured and measured.agreement,
            "needs_calibration": self.recipe.needs_calibration,
            "possible": self.possible,
            "never_counted": list(self.never_counted),
        }


@dataclass(frozen=True)
class RecipeChoice:
    """What was chosen for a kind of device, among what, and by what."""

    device: DeviceKind
    chosen: RecipeCandidate
    candidates: tuple[RecipeCandidate, ...]
    """Quickest first; behind them those of which it cannot be told."""
    resolution: Resolution | None
    """Whose graphs were counted: the ladder's largest; None where nothing of this model was."""
    left_out: tuple[str, ...] = ()
    """What all candidates have alike and nobody counted: heads by their task, kernels by their name."""

    @property
    def recipe(self) -> Recipe:
        return self.chosen.recipe

    @property
    def with_pictures(self) -> RecipeCandidate | None:
        """What would be quicker if there were pictures to calibrate with."""
        best = self.candidates[0]
        return None if best.possible or best.share == self.chosen.share else best

    @property
    def entry(self) -> dict[str, Any]:
        """For the manifest."""
        told = {each.recipe.name: round(each.share, 3) for each in self.candidates if each.share is not None}
        return {
            "device": self.device.name,
            "by": self.device.stands_for,
            "resolution": None if self.resolution is None else self.resolution.to_json(),
            "over_float32": told,
        }

    def to_dict(self) -> dict[str, Any]:
        """The `edgevit.recipe_choice/1` document; `drop` in fractions (0.002 is 0.2 points)."""
        core, better = self.device.counted, self.with_pictures
        return {
            "schema": "edgevit.recipe_choice/1",
            "device": self.device.name,
            "title": self.device.title,
            "by": self.device.stands_for,
            "limits": self.device.limits,
            "source": self.device.source,
            "processor": core and core.name,
            "resolution": None if self.resolution is None else self.resolution.to_json(),
            "recipe": self.recipe.name,
            "with_calibration": better and better.recipe.name,
            "left_out": list(self.left_out),
            "candidates": [each.to_dict() for each in self.candidates],
        }


def candidates() -> tuple[Recipe, ...]:
    """The built-in recipes for CPUs that keep accuracy; a further one needs its row in `RECIPES`, with what was
    measured, and no more."""
    return tuple(
        each
        for each in RECIPES.values()
        if each.for_cpu and each.measured and _drop(each) <= MOST_DROP and each.measured.agreement >= LEAST_AGREEMENT
    )


def measured(possible: Mapping[str, bool]) -> list[RecipeCandidate]:
    """By `Recipe.measured`: of DeiT-Tiny at 224, on x86. possible: by recipe, whether what it needs is there."""
    return [
        RecipeCandidate(each, 1.0 / each.measured.times_faster, possible=possible[each.name])
        for each in candidates()
        if each.measured is not None and each.measured.times_faster
    ]


def quickest(
    kind: DeviceKind,
    found: Iterable[RecipeCandidate],
    resolution: Resolution | None = None,
    left_out: tuple[str, ...] = (),
) -> RecipeChoice:
    """The pick; of two as quick the smaller file. Raises `ConversionError` where no candidate's time can be told."""
    ranked = tuple(sorted(found, key=_rank))
    able = [each for each in ranked if each.possible and each.share is not None]
    if not able:
        raise ConversionError(f"no recipe's time on a {kind.title} can be told: name one by --recipe")
    return RecipeChoice(kind, able[0], ranked, resolution, left_out)


def example(kind: DeviceKind, *, calibrated: bool) -> RecipeChoice:
    """What is picked for DeiT-Tiny at 224, by figures that are stored; nothing is loaded or made."""
    possible = {each.name: calibrated or not each.needs_calibration for each in candidates()}
    if kind.counted is None:
        return quickest(kind, measured(possible))
    ms, found = kind.deit_tiny_ms, []
    for each in candidates():
        own = ms.get(each.name)
        share = None if own is None else own / ms[BASELINE]
        found.append(RecipeCandidate(each, share, ms=own, possible=possible[each.name]))
    return quickest(kind, found, Resolution(224))


def _rank(each: RecipeCandidate) -> tuple[bool, float, float]:
    """Quickest first, of two as quick the smaller file."""
    size_mb = each.recipe.measured.size_mb if each.recipe.measured else 0.0
    return each.share is None, round(each.share or 0.0, 6), size_mb


def _drop(recipe: Recipe) -> float:
    """Of top-1, as measured."""
    plain = RECIPES[BASELINE].measured
    return 0.0 if plain is None or recipe.measured is None else plain.top1 - recipe.measured.top1
