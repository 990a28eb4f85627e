"""Accuracy-aware conversion: of the fastest recipe as much stays in int8 as a permitted drop of the metric allows.

The model's parts are classes of ops in single blocks. Two numbers say which to take out first: what the outputs lose
by rounding that part alone (`sensitivity`), and the latency that an inference gains by taking it out, measured on this
machine, class by class. Then the number of parts is searched for with artefacts on the validation pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from converters.artefact.file_writer import OnStep
from converters.graph.folded import fold
from converters.graph.heads import looked_at
from converters.quantize.activations import activation, block_of
from converters.quantize.calibration import calibration_images
from converters.quantize.recipes import LINEAR, OUTSIDE, Recipe
from converters.search.output_losses import loss_of, losses
from converters.search.recipe_variants import PARTS, BlockPart, Variants
from converters.search.selection import Part, Selection, Trial
from converters.search.sensitivity import group_losses
from converters.search.validation import Validation
from edgevit.errors import ConfigError, ConversionError
from edgevit.model import ViT
from edgevit_runtime.resolution import ResolutionLike

LOOKED_AT = 16
"""Pictures to compute the parts' losses on."""
FREE = 2e-3
"""The least share of the latency that a part is taken to cost: below it is the clock's noise."""
FINENESS = 16
"""The number of parts is searched for to a sixteenth of them all."""


OnTrial = Callable[[Recipe, Trial, bool], None]
"""Told each mix as it was measured, and whether it keeps within the drop."""


def find_parts(variants: Variants, on_step: OnStep, known: Mapping[BlockPart, float] | None = None) -> tuple[Part, ...]:
    """All parts of the base that are in int8, most loss for the latency first: as they are taken out.

    known: what each part loses alone, where that was found already.
    """
    known = known or find_losses(variants, on_step)
    costs, base_ms = _costs(variants, [*known], on_step)
    parts = [Part(block, kind, loss, costs[kind]) for (block, kind), loss in known.items()]
    return tuple(sorted(parts, key=lambda each: -each.loss / max(each.cost_ms, FREE * base_ms)))


def find_losses(variants: Variants, on_step: OnStep) -> dict[BlockPart, float]:
    """What the outputs lose by part, where that part alone is rounded (`output_losses`).

    Raises `ConfigError` where nothing is in int8.
    """
    prepared, config = variants.prepared(variants.base), variants.config
    files = [file for file in variants.files if file not in variants.validation.skipped]
    places = (OUTSIDE, *range(config.depth))
    kinds = {
        kind: sites for kind, sites in PARTS.items() if any(_in_int8(variants.base, each, kind) for each in places)
    }
    if not kinds:
        raise ConfigError(f"{variants.base.name} computes nothing in int8 to take out: leave --max-drop out")
    task = variants.validation.task.name
    heads = looked_at(config, task)
    folded = prepared.with_equalized(fold(config, variants.arrays, variants.resolution, heads=heads))
    every = np.linspace(0, len(files) - 1, min(LOOKED_AT, len(files))).round().astype(int)
    images = np.concatenate(
        list(calibration_images([files[index] for index in every], variants.resolution, config.resize, config.fill))
    )
    lost = group_losses(
        config,
        folded,
        variants.base,
        prepared,
        heads,
        images,
        kinds,
        lambda done, total: on_step("what each part loses", done, total),
        partial(losses, task),
    )
    found = {}
    for (block, kind), each in lost.alone.items():
        place = block_of(f"{block}/") if block else OUTSIDE
        if _in_int8(variants.base, place, kind):
            found[place, kind] = each[loss_of(task).key]
    return found


def _in_int8(recipe: Recipe, block: int | str, kind: str) -> bool:
    prefix = "" if block == OUTSIDE else f"block{block}/"
    hows = {site: activation(f"{prefix}{site}", recipe) for site in PARTS[kind]}
    return any(how == "int8-static" or (how == "int8-dynamic" and site in LINEAR) for site, how in hows.items())


def _costs(variants: Variants, groups: Sequence[BlockPart], on_step: OnStep) -> tuple[dict[str, float], float]:
    """Milliseconds a part by class, and the base's."""
    kinds = list(dict.fromkeys(kind for _, kind in groups))
    built = [variants.build(variants.base)]
    for done, kind in enumerate(kinds):
        on_step("what each class takes", done, len(kinds))
        built.append(variants.build(variants.mixed([group for group in groups if group[1] == kind])))
    base, *others = variants.latencies_ms(built)
    counts = {kind: sum(each == kind for _, each in groups) for kind in kinds}
    return {kind: (ms - base) / counts[kind] for kind, ms in zip(kinds, others, strict=True)}, base


def select(
    model: ViT,
    validation: Validation,
    max_drop_points: float,
    *,
    recipe: str | Path | Recipe | None = None,
    resolutions: Sequence[ResolutionLike] = (),
    resize: str | None = None,
    calibration: str | Path | None = None,
    islands: str | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
    on_trial: OnTrial = lambda _recipe, _trial, _kept: None,
) -> Selection:
    """The recipe that keeps as much in int8 as it can without losing more on `validation` than permitted.

    Judged by the metric of the task that its pictures are labelled for, at the ladder's default resolution.
    max_drop_points: 0.3 lets a top-1 of 80.1 % become 79.8 %.
    recipe: what to start from, None takes the fastest; islands: `float32` or `int16`, None takes int16 where the recipe
        takes integers in; resolutions, resize, calibration: as for `convert`.

    on_trial: is told of each mix that was measured: what is found so far need not be lost when the search is ended.

    Raises `ConversionError` where no mix in reach does, and what `convert` raises.
    """
    variants = Variants(
        model,
        validation,
        recipe=recipe,
        resolutions=resolutions,
        resize=resize,
        calibration=calibration,
        islands=islands,
        on_step=on_step,
    )
    return select_among(variants, max_drop_points, on_step, on_trial=on_trial)


def select_among(
    variants: Variants,
    max_drop_points: float,
    on_step: OnStep,
    parts: tuple[Part, ...] | None = None,
    on_trial: OnTrial = lambda _recipe, _trial, _kept: None,
) -> Selection:
    """The same among variants that may have been asked before, and parts that may be known."""
    validation, resolution = variants.validation, variants.resolution
    exact, metric = validation.exact(resolution), validation.task.metric
    trials: dict[int, Trial] = {}
    order: tuple[Part, ...] = ()

    def recipe(count: int) -> Recipe:
        return variants.mixed([(each.block, each.kind) for each in order[:count]])

    def fails(count: int) -> bool:
        known = count in trials
        if not known:
            ours = variants.answers(recipe(count))
            trials[count] = Trial(count, metric, validation.metric(ours), validation.drop(exact, ours))
        failed = trials[count].drop.points > max_drop_points + 1e-9
        if not known:
            on_trial(recipe(count), trials[count], not failed)
        return failed

    chosen = 0
    if fails(0):
        order = parts or find_parts(variants, on_step)
        chosen = _fewest(fails, order, max_drop_points / trials[0].drop.points)
    if fails(chosen):
        best = min(trials.values(), key=lambda each: each.drop.lost)
        hint = "or --islands float32" if variants.islands == "int16" else "or another recipe"
        raise ConversionError(
            f"no mix of {variants.base.name} and {variants.islands} stays within {max_drop_points:g} points of float's "
            f"{validation.metric(exact):.2%} on {validation.name}: the best of {len(trials)}, with {best.parts} of "
            f"{len(order)} parts taken out, drops {best.drop.points:.2f} points; try a larger --max-drop, {hint}"
        )
    latencies = variants.latencies_ms([variants.build(each) for each in dict.fromkeys((variants.base, recipe(chosen)))])
    return Selection(
        recipe=recipe(chosen),
        base=variants.base,
        islands=variants.islands,
        max_drop_points=max_drop_points,
        resolution=resolution,
        parts=tuple(replace(each, taken_out=index < chosen) for index, each in enumerate(order)),
        trials=tuple(trials[count] for count in sorted(trials)),
        chosen=trials[chosen],
        task=validation.task.name,
        float_share=validation.metric(exact),
        before_ms=latencies[0],
        after_ms=latencies[-1],
        set=validation.name,
        pictures=validation.count,
        seen=variants.seen,
    )


def _fewest(fails: Callable[[int], bool], order: Sequence[Part], share: float) -> int:
    """About the least number of parts with which it does not fail; all of them where it fails even so.

    As if more parts never lost more. The first guess leaves `share` of the parts' losses; then doubled until one does
    not fail, and halved in between, in steps of a `FINENESS`th.
    """
    step = -(-len(order) // FINENESS)
    last = -(-len(order) // step)
    left = np.cumsum([each.loss for each in order][::-1])[::-1]
    guess = int((left > share * left[0]).sum())

    def fail(steps: int) -> bool:
        return fails(min(steps * step, len(order)))

    low, high = 0, min(last, max(1, round(guess / step)))
    while high < last and fail(high):
        low, high = high, min(last, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fail(middle) else (low, middle)
    return min(high * step, len(order))
