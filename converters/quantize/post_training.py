"""Post-training quantization: what pictures say of a model before it is lowered and quantized.

fold -> observe -> equalize (exact) -> observe again -> ranges, and weights rounded by what their layers put out. One
result serves all resolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.graph.folded import Folded, fold
from converters.graph.folding import Arrays
from converters.graph.heads.head import Head
from converters.quantize.activations import roundings, weight
from converters.quantize.calibration import calibration_images
from converters.quantize.equalization import BEHIND_NORMS, equalize
from converters.quantize.gptq import RoundedLayers, round_layers, rounded_to_nearest
from converters.quantize.head_rules import exchangeable
from converters.quantize.ranges import ActivationSample, Moments, choose_ranges, observe
from converters.quantize.recipes import Recipe
from edgevit.activation_ranges import ActivationRanges
from edgevit.config import ViTConfig
from edgevit_runtime.resolution import Resolution

BATCH = 8
LEAST = 16
"""Of the calibration's pictures, how many at least are looked at in each resolution; together all of them."""


@dataclass(frozen=True)
class PreparedLayers:
    """What `lower` and `quantize` are given for every resolution."""

    equalized: Folded | None = None
    """Whose linear layers compute the same as those that were folded, and are easier to round."""
    rounded: Folded | None = None
    """Whose linear layers are those of `equalized`, rounded so that what they put out errs least."""
    calibration: ActivationRanges | None = None

    def with_equalized(self, folded: Folded) -> Folded:
        """With the linear layers of `equalized`."""
        return _with_layers(folded, self.equalized)

    def with_rounded(self, folded: Folded) -> Folded:
        """With the linear layers of `rounded`, which all resolutions share."""
        return _with_layers(folded, self.rounded)


def _with_layers(folded: Folded, layers: Folded | None) -> Folded:
    if layers is None:
        return folded
    heads = folded.with_head_layers(layers.head_layers)
    return replace(folded, patches=layers.patches, stem=layers.stem, blocks=layers.blocks, heads=heads)


@dataclass(frozen=True)
class CalibrationStatistics:
    """What the pictures said, from which a recipe and others like it are prepared."""

    equalized: Folded
    samples: Mapping[str, ActivationSample]
    moments: Mapping[str, Moments]
    rounded: RoundedLayers
    """Layers that were rounded already: a quarter of a minute for all of a small model's."""

    def prepared(self, recipe: Recipe) -> PreparedLayers:
        rounded = round_layers(self.equalized, self.moments, recipe, self.rounded)
        ranges = choose_ranges(self.equalized, recipe, self.samples)
        return PreparedLayers(self.equalized, rounded, ActivationRanges(recipe.name, ranges))


def calibrate(
    config: ViTConfig,
    arrays: Arrays,
    recipe: Recipe,
    ladder: Sequence[Resolution],
    files: Sequence[Path],
    heads: Sequence[Head] | None = None,
) -> CalibrationStatistics:
    """Layers that are easier to round, and what they compute on pictures at the ladder's resolutions.

    heads: of the tasks that will be in the file, which share them; None: the classifier's.
    """
    rungs = [(resolution, fold(config, arrays, resolution, heads=heads)) for resolution in ladder]
    images = list(_images(config, ladder, files))

    def batches(prepared: PreparedLayers) -> Iterator[tuple[Folded, NDArray[np.uint8]]]:
        for (_, folded), pictures in zip(rungs, images, strict=True):
            for start in range(0, len(pictures), BATCH):
                yield prepared.with_equalized(folded), pictures[start : start + BATCH]

    first = rungs[0][1]
    seen = observe(config, batches(PreparedLayers()), heads, weighting=recipe.weighting)
    equal = replace(first, blocks=equalize(config, first.blocks, seen.samples, layers_to_equalize(config, recipe)))
    seen = observe(config, batches(PreparedLayers(equal)), heads, moments=True, weighting=recipe.weighting)
    moments = {site: each for site, each in seen.moments.items() if site not in exchangeable(config)}
    return CalibrationStatistics(equal, seen.samples, moments, {})


def layers_to_equalize(config: ViTConfig, recipe: Recipe) -> set[str]:
    """Of `BEHIND_NORMS`, those whose inputs have one int8 range for all pictures, or whose weights have 4 bits.

    They gain by a factor (`equalize`); all others would have an op more for nothing.
    """
    return {
        layer
        for layer, norm in zip(BEHIND_NORMS, ("norm1", "norm2"), strict=True)
        for block in (f"block{index}" for index in range(config.depth))
        if "int8" in roundings(f"{block}/{norm}/normalised", recipe) or weight(f"{block}/{layer}", recipe) == "int4"
    }


def without_pictures(
    config: ViTConfig,
    arrays: Arrays,
    recipe: Recipe,
    resolution: Resolution,
    calibration: ActivationRanges | None,
    heads: Sequence[Head] | None = None,
) -> PreparedLayers:
    """What there is to do without: int4 weights are put on their grid. calibration: what the model learned."""
    if not any(rule.weight == "int4" for rule in recipe.rules):
        return PreparedLayers(calibration=calibration)
    folded = fold(config, arrays, resolution, heads=heads)
    return PreparedLayers(rounded=rounded_to_nearest(folded, recipe), calibration=calibration)


def _images(config: ViTConfig, ladder: Sequence[Resolution], files: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """For each resolution the pictures that show it its ranges, [n, R, R, 3]: all files shared out, or `LEAST`."""
    count = min(len(files), max(LEAST, -(-len(files) // len(ladder))))
    for rung, resolution in enumerate(ladder):
        picks = [files[(rung + index * len(files) // count) % len(files)] for index in range(count)]
        yield np.concatenate(list(calibration_images(picks, resolution, config.resize, config.fill)))
