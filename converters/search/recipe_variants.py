"""Variants of one recipe at one resolution: some of its parts taken out of int8, built, timed and asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from converters.artefact.audit import Runner
from converters.artefact.file_writer import OnStep
from converters.artefact.manifest_writer import default_resolution, with_choices
from converters.conversion import Lowered, Quantized, find_ladder, for_recipe
from converters.graph.folded import model_arrays
from converters.graph.heads import heads_of, looked_at
from converters.quantize.post_training import CalibrationStatistics, PreparedLayers, calibrate
from converters.quantize.range_source import find_ranges
from converters.quantize.recipe_files import check_depth, find_recipe, with_rules
from converters.quantize.recipes import (
    ANY,
    NORM,
    NOT_IN_INT16,
    OP_CLASSES,
    OUTSIDE,
    RECIPES,
    ROTARY,
    STREAM,
    Recipe,
    Rule,
    sites_in,
)
from converters.search.validation import Validation
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConfigError, unknown_key
from edgevit.model import ViT
from edgevit.tasks import choose_tasks
from edgevit_runtime.measure.timing import measure
from edgevit_runtime.resolution import ResolutionLike, as_resolutions
from edgevit_runtime.verify.self_test import GENERATOR, draw_picture

PARTS: dict[str, tuple[str, ...]] = {
    "qkv": OP_CLASSES["qkv"],
    "products": (*ROTARY, "products"),
    "softmax": ("weights", "mixed", "weighed"),  # the step of its int8 results is what the product behind reads
    **{name: OP_CLASSES[name] for name in ("output", "expand", "gelu", "contract", "patches", "head")},
    "norm": NORM,
    "stream": STREAM,
}
"""What is taken out together, by what the ops put out."""

ISLANDS: dict[str, tuple[str, str]] = {"float32": ("float32", "float32"), "int16": ("int8", "int16-static")}
"""What becomes of a part: weights and activations of its rule."""

SECONDS = 1.5
"""For each variant's latency."""

BlockPart = tuple[int | str, str]
"""A block, or `OUTSIDE` of all, and a class of ops."""


def fastest(model: ViT, *, calibrated: bool) -> Recipe:
    """Of the built-in recipes that are possible the one that was measured to be the fastest."""
    possible = [
        each
        for each in RECIPES.values()
        if calibrated or not each.needs_calibration or each.is_learned(model.calibration)
    ]
    return max(possible, key=lambda each: (each.measured and each.measured.times_faster) or 0.0)


class Variants:
    """Builds variants of a recipe for one resolution, and asks each once."""

    def __init__(
        self,
        model: ViT,
        validation: Validation,
        *,
        recipe: str | Path | Recipe | None = None,
        resolutions: Sequence[ResolutionLike] = (),
        resize: str | None = None,
        calibration: str | Path | None = None,
        islands: str | None = None,
        seen: CalibrationStatistics | None = None,
        on_step: OnStep = lambda _what, _done, _total: None,
    ) -> None:
        """recipe: None takes the fastest; islands: of `ISLANDS`, None int16 where the recipe takes integers in.

        seen: what was seen of the calibration's pictures, where that was done already.
        """
        self.validation = validation
        self.base = find_recipe(recipe) if recipe is not None else fastest(model, calibrated=calibration is not None)
        self.islands = islands or ("int16" if self.base.integer_io else "float32")
        if self.islands not in ISLANDS:
            raise unknown_key("kind of islands", self.islands, ISLANDS)
        if self.islands == "int16" and not self.base.needs_calibration:
            raise ConfigError(f"int16 islands need ranges, and {self.base.name} has none: --islands float32")
        self.config = with_choices(model.config, None, resize)
        check_depth(self.base, self.config.depth)
        ladder = find_ladder(self.config, as_resolutions(resolutions))
        self.resolution = default_resolution(self.config, ladder)
        self.arrays = model_arrays(model)
        ranges = find_ranges(model.calibration, self.base, calibration)
        self.learned, self.seen = ranges.learned, seen
        if ranges.files and seen is None:
            on_step("looking at the calibration's pictures", 0, 1)
            heads = looked_at(self.config, validation.task.name)
            self.seen = calibrate(self.config, self.arrays, self.base, ladder, ranges.files, heads)
        self.files = ranges.files or validation.files
        self._answers: dict[tuple[Rule, ...], Any] = {}

    def prepared(self, recipe: Recipe) -> PreparedLayers:
        if self.seen is not None:
            return self.seen.prepared(recipe)
        return PreparedLayers(calibration=self.learned and ActivationRanges(recipe.name, self.learned.ranges))

    def build(self, recipe: Recipe) -> Quantized:
        heads = heads_of(for_recipe(recipe, choose_tasks(self.config, self.validation.task.name, {})))
        lowered = Lowered(self.config, self.arrays, recipe, heads, self.resolution)
        return lowered.quantized(self.prepared(recipe))

    def answers(self, recipe: Recipe) -> Any:
        """On the validation pictures, as their `Validation` has them."""
        if recipe.rules not in self._answers:
            built = self.build(recipe)
            found = self.validation.answers(recipe.name, built.single, built.audited)
            self._answers[recipe.rules] = found
        return self._answers[recipe.rules]

    def latencies_ms(self, built: Sequence[Quantized]) -> list[float]:
        """Medians, one thread, interleaved."""
        image = draw_picture(GENERATOR, 1, self.resolution)
        runners = [Runner.of(each.single, each.audited) for each in built]
        calls = {index: (lambda runner=runner: runner.outputs(image)) for index, runner in enumerate(runners)}
        return [each.median_ms for each in measure(calls, seconds=SECONDS).values()]

    def mixed(self, groups: Sequence[BlockPart]) -> Recipe:
        """The base with these groups taken out, a rule for each class."""
        weight, how = ISLANDS[self.islands]
        rules = []
        for kind, sites in PARTS.items():
            blocks = [block for block, each in groups if each == kind]
            if blocks:
                numbers = sorted(block for block in blocks if isinstance(block, int))
                ends = [block for block in blocks if block == OUTSIDE]
                known = [site for site in sites if self.base.computes(site)]
                there = tuple(site for site in known if any(site in sites_in(each) for each in blocks))
                if how == "int16-static":
                    there = tuple(site for site in there if site not in NOT_IN_INT16)
                rules.append(Rule(ANY, weight, how, there, "loses most for its latency", (*numbers, *ends)))
        if not rules:
            return self.base
        summary = f"{self.base.name} with islands of {self.islands}"
        return with_rules(self.base, rules, f"{self.base.name}-mixed", summary=summary)
