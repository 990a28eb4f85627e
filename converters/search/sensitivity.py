"""What quantizing one class of ops of one block alone costs, through the simulation: where a recipe loses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.graph.arithmetic import Linear
from converters.graph.folded import Folded, fold, model_arrays
from converters.graph.heads import looked_at
from converters.graph.heads.head import Head
from converters.graph.lowering import graph
from converters.quantize.activations import activation, block_of, roundings, word
from converters.quantize.calibration import calibration_files, folder_notes
from converters.quantize.fake_quantization import BatchedArithmetic, RoundedArithmetic
from converters.quantize.gptq import linear_layers
from converters.quantize.post_training import PreparedLayers, calibrate
from converters.quantize.recipe_files import check_depth, check_rounds_activations, find_recipe
from converters.quantize.recipes import ANY, NOT_IN_INT16, OP_CLASSES, OUTSIDE, Recipe, Rule, sites_in
from converters.search.looked_at_pictures import look_at
from converters.search.output_losses import NamedOutputs, loss_of, losses
from edgevit.config import ViTConfig, check_resolution
from edgevit.model import ViT
from edgevit.tasks import TASKS, analysed_task
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import ResolutionLike, as_resolution

CLASSES = {**OP_CLASSES, "patches": ("image", "pixels", *OP_CLASSES["patches"])}
"""With the picture itself, which no op puts out and no rule names."""

BATCH = 16
OnRow = Callable[[int, int], None]
"""Told (groups measured, groups in all)."""


def sensitivity(
    model: ViT,
    data: str | Path,
    *,
    task: str | None = None,
    recipe: str | Path | Recipe = "int8-full",
    resolution: ResolutionLike | None = None,
    resize: str | None = None,
    count: int = 32,
    on_row: OnRow = lambda _done, _total: None,
) -> dict[str, Any]:
    """The `edgevit.sensitivity/1` document: what the outputs lose, by block and class of ops.

    Each entry holds what they lose against float where that group alone is rounded as `recipe` rounds it; of the
    document's `whole`, where everything is: `losses` says what. data: a folder of pictures, labelled or not; `count` of
    them are looked at, and calibrate too. Where they have masks, boxes or points for the task, its metric is told, too.

    task: whose head; None: `classify`, or else the first that the model has a head for. resolution: None takes the one
    that the model was trained at.

    Raises `ConfigError` for a recipe that rounds no activations or a task that the model has no head for,
    `ResolutionError`, `DataError`.
    """
    chosen, config = find_recipe(recipe), model.config
    task = analysed_task(config, task)
    check_depth(chosen, config.depth)
    check_rounds_activations(chosen)
    if resize is not None:
        parse_policy(resize)
        config = config.with_(resize=resize)
    resolution = as_resolution(resolution or config.base_resolution)
    check_resolution(resolution, config.patch)
    files = calibration_files(Path(data), count)
    pictures = look_at(config, task, Path(data), files, resolution)
    arrays, heads = model_arrays(model), looked_at(config, task)
    prepared = PreparedLayers()
    if chosen.needs_calibration:
        prepared = calibrate(config, arrays, chosen, (resolution,), files, heads).prepared(chosen)
    folded = prepared.with_equalized(fold(config, arrays, resolution, heads=heads))

    def compare(exact: NamedOutputs, rounded: NamedOutputs) -> dict[str, Any]:
        judged = pictures.judge(exact, rounded) if pictures.judge else {}
        return {**losses(task, exact, rounded), **judged}

    found = group_losses(config, folded, chosen, prepared, heads, pictures.images, CLASSES, on_row, compare)
    return {
        "schema": "edgevit.sensitivity/1",
        "task": task,
        "metric": TASKS[task].metric,
        "loss": loss_of(task).key,
        "recipe": chosen.name,
        "data": str(data),
        "assumed": [*folder_notes(data), *pictures.assumed],
        "images": len(files),
        "resolution": resolution.to_json(),
        "resize": config.resize,
        "whole": found.whole,
        "entries": [{"block": group[0], "class": group[1], **lost} for group, lost in found.alone.items()],
        "head_sites": list(found.head_sites),
    }


def island(document: Mapping[str, Any], recipe: Recipe) -> Rule:
    """The rule that takes out of int8 what loses most of an `edgevit.sensitivity/1` document.

    Into int16 where the recipe has integers alone and has not done so yet; into float32 otherwise.
    """
    loss = document.get("loss", "kl")
    worst = max(document["entries"], key=lambda entry: entry[loss])
    block = block_of(f"{worst['block']}/") if worst["block"] else OUTSIDE
    named = OP_CLASSES[worst["class"]]
    sites = tuple(site for site in named if site in sites_in(block) and recipe.computes(site))
    if worst["class"] == "head":  # of all heads that there are the one at hand
        sites = tuple(site for site in sites if site in document.get("head_sites", sites))
    hows = {activation(f"{worst['block']}/{site}", recipe) for site in sites}
    if recipe.integer_io and "int16-static" not in hows:
        sites = tuple(site for site in sites if site not in NOT_IN_INT16)
        return Rule(ANY, "int8", "int16-static", sites, blocks=(block,))
    return Rule(ANY, "float32", sites=sites, blocks=(block,))


OpGroup = tuple[str, str]
"""`block3` (or `` for what is before and behind them) and a class."""
Classes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class GroupLosses:
    alone: dict[OpGroup, dict[str, Any]]
    """Where each group alone is rounded."""
    whole: dict[str, Any]
    """Where all are."""
    head_sites: tuple[str, ...]
    """Of the class `head` the sites that there are, by the last word of their names."""


def group_losses(
    config: ViTConfig,
    folded: Folded,
    recipe: Recipe,
    prepared: PreparedLayers,
    heads: Sequence[Head],
    images: NDArray[np.uint8],
    classes: Classes,
    on_row: OnRow,
    compare: Callable[[NamedOutputs, NamedOutputs], dict[str, Any]],
) -> GroupLosses:
    """What `compare` says of the outputs, the float model's and rounded ones.

    images: [n, H, W, 3]; folded: for that resolution, with `heads`.
    """
    partial = _Partly(recipe, prepared, classes)

    def outputs(groups: Collection[OpGroup]) -> NamedOutputs:
        partial.groups = groups
        run = graph(config, folded, heads, do=partial, weighting=recipe.weighting)
        parts = [run(tf.constant(images[at : at + BATCH])) for at in range(0, len(images), BATCH)]
        return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]}

    exact = outputs(())
    groups, alone = list(partial.seen), {}
    for done, group in enumerate(groups):
        on_row(done, len(groups) + 1)
        alone[group] = compare(exact, outputs({group}))
    return GroupLosses(alone, compare(exact, outputs(groups)), tuple(partial.head_sites))


def group_of(site: str, classes: Classes = CLASSES) -> OpGroup | None:
    """The group that a site is in; None for one in no class."""
    block = site.partition("/")[0]
    name = next((name for name, words in classes.items() if word(site) in words), None)
    return None if name is None else (block if block.startswith("block") else "", name)


class _Partly(RoundedArithmetic):
    """Rounds what is in the chosen groups, and nothing else."""

    def __init__(self, recipe: Recipe, prepared: PreparedLayers, classes: Classes) -> None:
        super().__init__(recipe, prepared.calibration.ranges if prepared.calibration else {})
        self.rounded = {} if prepared.rounded is None else linear_layers(prepared.rounded)
        self.classes = classes
        self.groups: Collection[OpGroup] = ()
        self.seen: dict[OpGroup, None] = {}  # all that the recipe rounds, in the graph's order
        self.head_sites: dict[str, None] = {}

    def constant(self, values: Any, *, own_range: bool = False, read_at: str = "tokens") -> Any:
        return values  # a table in 16 bits, or one that is wide and even: not what a recipe loses by

    def linear(
        self,
        site: str,
        product: Callable[[Any, Any], Any],
        inputs: Any,
        layer: Linear,
        rows: slice = slice(None),
    ) -> Any:
        if self._note(site, activation(site, self.recipe) != "float32"):
            return super().linear(site, product, inputs, self.rounded.get(site, layer), rows)
        self.weights = "float32"
        return BatchedArithmetic.linear(self, site, product, inputs, layer, rows)

    def result(self, site: str, values: Any) -> Any:
        return super().result(site, values) if self._note(site, bool(roundings(site, self.recipe))) else values

    def _note(self, site: str, rounded: bool) -> bool:
        """Whether the site is in a chosen group."""
        group = group_of(site, self.classes)
        if group is None or not rounded:
            return False
        self.seen[group] = None
        if group[1] == "head":
            self.head_sites[word(site)] = None
        return group in self.groups
