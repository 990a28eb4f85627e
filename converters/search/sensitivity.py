"""What quantizing one class of ops of one block alone costs, through the simulation: where a recipe loses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import log_softmax

from converters.graph.arithmetic import Linear
from converters.graph.folded import Folded, fold, model_arrays
from converters.graph.lowering import graph
from converters.quantize.activations import LINEAR_INPUTS, activation, block_of, roundings, word
from converters.quantize.calibration import calibration_files, calibration_images, folder_notes
from converters.quantize.fake_quantization import BatchedArithmetic, RoundedArithmetic
from converters.quantize.gptq import linear_layers
from converters.quantize.post_training import PreparedLayers, calibrate
from converters.quantize.recipe_files import check_depth, check_rounds_activations, find_recipe
from converters.quantize.recipes import ANY, OP_CLASSES, OUTSIDE, Recipe, Rule, sites_in
from edgevit.config import ViTConfig, check_resolution
from edgevit.model import ViT
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
    recipe: str | Path | Recipe = "int8-full",
    resolution: ResolutionLike | None = None,
    resize: str | None = None,
    count: int = 32,
    on_row: OnRow = lambda _done, _total: None,
) -> dict[str, Any]:
    """The `edgevit.sensitivity/1` document: KL divergence, signal to noise of logits, agreement, by block and class.

    Each entry holds what the logits lose against float where that group alone is rounded as `recipe` rounds it; of
    the document's `whole`, where everything is. data: a folder of pictures, labelled or not; `count` of them are
    looked at, and calibrate too. resolution: None takes the one that the model was trained at.

    Raises `ConfigError` for a recipe that rounds no activations, `ResolutionError`, `DataError`.
    """
    chosen, config = find_recipe(recipe), model.config
    check_depth(chosen, config.depth)
    check_rounds_activations(chosen)
    if resize is not None:
        parse_policy(resize)
        config = config.with_(resize=resize)
    resolution = as_resolution(resolution or config.base_resolution)
    check_resolution(resolution, config.patch)
    files = calibration_files(Path(data), count)
    images = np.concatenate(list(calibration_images(files, resolution, config.resize, config.fill)))
    arrays = model_arrays(model)
    prepared = PreparedLayers()
    if chosen.needs_calibration:
        prepared = calibrate(config, arrays, chosen, (resolution,), files).prepared(chosen)
    folded = prepared.with_equalized(fold(config, arrays, resolution))
    alone, whole = group_losses(config, folded, chosen, prepared, images, CLASSES, on_row)
    return {
        "schema": "edgevit.sensitivity/1",
        "recipe": chosen.name,
        "data": str(data),
        "assumed": list(folder_notes(data)),
        "images": len(images),
        "resolution": resolution.to_json(),
        "resize": config.resize,
        "whole": whole,
        "entries": [{"block": group[0], "class": group[1], **losses} for group, losses in alone.items()],
    }


def island(document: Mapping[str, Any], recipe: Recipe) -> Rule:
    """The rule that takes out of int8 what loses most of an `edgevit.sensitivity/1` document.

    Into int16 where the recipe has integers alone and has not done so yet; into float32 otherwise.
    """
    worst = max(document["entries"], key=lambda entry: entry["kl"])
    block = block_of(f"{worst['block']}/") if worst["block"] else OUTSIDE
    sites = tuple(site for site in OP_CLASSES[worst["class"]] if site in sites_in(block))
    hows = {activation(f"{worst['block']}/{site}", recipe) for site in sites}
    if recipe.integer_io and "int16-static" not in hows:
        return Rule(ANY, "int8", "int16-static", sites, blocks=(block,))
    return Rule(ANY, "float32", sites=sites, blocks=(block,))


OpGroup = tuple[str, str]
"""`block3` (or `` for what is before and behind them) and a class."""
Classes = Mapping[str, tuple[str, ...]]


def group_losses(
    config: ViTConfig,
    folded: Folded,
    recipe: Recipe,
    prepared: PreparedLayers,
    images: NDArray[np.uint8],
    classes: Classes,
    on_row: OnRow,
) -> tuple[dict[OpGroup, dict[str, float]], dict[str, float]]:
    """What logits lose by each group alone, and by all of them. images: [n, R, R, 3]; folded: for R."""
    partial = _Partly(recipe, prepared, classes)

    def logits(groups: Collection[OpGroup]) -> NDArray[Any]:
        partial.groups = groups
        run = graph(config, folded, do=partial)
        starts = range(0, len(images), BATCH)
        return np.concatenate([run(tf.constant(images[at : at + BATCH]))["logits"][:, 0].numpy() for at in starts])

    exact = logits(())
    groups, alone = list(partial.seen), {}
    for done, group in enumerate(groups):
        on_row(done, len(groups) + 1)
        alone[group] = _losses(exact, logits({group}))
    return alone, _losses(exact, logits(groups))


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

    def constant(self, values: Any, *, own_range: bool = False) -> Any:
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
        if word(site) in LINEAR_INPUTS:
            self.read = site
        return super().result(site, values) if self._note(site, bool(roundings(site, self.recipe))) else values

    def _note(self, site: str, rounded: bool) -> bool:
        """Whether the site is in a chosen group."""
        group = group_of(site, self.classes)
        if group is None or not rounded:
            return False
        self.seen[group] = None
        return group in self.groups


def _losses(exact: NDArray[Any], rounded: NDArray[Any]) -> dict[str, float]:
    """Of logits [n, classes] against those of the float model."""
    noise = float(np.square(rounded - exact).sum())
    theirs, ours = log_softmax(exact, axis=1), log_softmax(rounded, axis=1)
    return {
        "kl": float((np.exp(theirs) * (theirs - ours)).sum(axis=1).mean()),
        "logits_db": 10.0 * float(np.log10(max(np.square(exact).sum(), 1e-30) / max(noise, 1e-30))),
        "agreement": float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean()),
    }
