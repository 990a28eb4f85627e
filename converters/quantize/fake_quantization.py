"""Quantization-aware fine-tuning: the graph that `convert` will quantize, rounded as it will be, and differentiable.

Folded and lowered by the same functions, so that what is trained is what will run: `lowering.graph` with an
`Arithmetic` that takes a batch and rounds weights and activations. Jacob et al. 2018
(https://arxiv.org/abs/1712.05877), section 3; range ends are learned as in Jain et al. 2019
(https://arxiv.org/abs/1903.08066).

Not simulated: the fixed-point factors with which integer kernels rescale, and the order in which float ones add. They
move a result only where it lies next to the border between two integers; but one step at an early border moves all
that follows. Given an artefact's own inputs, each of its ops puts out what is computed here; from the picture on, a
deep model's simulation and its artefact part about as far as two right interpreters do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from converters.graph.arithmetic import Arithmetic, Linear
from converters.graph.folded import fold
from converters.graph.heads import looked_at
from converters.graph.lowering import graph
from converters.quantize.activations import FIXED, activation, check_sites, roundings, weight, word
from converters.quantize.fake_rounding import (
    BITS,
    LEVELS,
    nudged,
    round_bias,
    round_constant,
    round_rows,
    round_static,
    round_twice,
    round_weight,
    rsqrt_by_table,
    symmetric,
    weight_scale,
)
from converters.quantize.head_rules import for_head
from converters.quantize.recipe_files import check_depth, find_recipe
from converters.quantize.recipes import Recipe
from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import ConfigError, ConversionError
from edgevit.model import ViT, named_weights
from edgevit_runtime.resolution import Resolution

KEPT_SHARE = 0.9
"""Of the calibration's pictures."""
HEADROOM = 2.0
"""How much further than any calibration picture the ends of int16 lie."""
NEAREST = 1e-9
"""The least distance of a range's end from zero: a logarithm cannot say zero itself."""


def simulating(recipe: str, task: str = "classify") -> Callable[[ViT], Simulation]:
    """What makes a model's `Simulation` for a recipe, by its name or file. Raises `ConfigError` for an unknown one."""
    found = find_recipe(recipe)
    return lambda model: Simulation(model, found, task)


class Simulation:
    """The model as an artefact of `recipe` will compute it: pictures -> logits, or what the head of `task` gives.

    `calibrate` it, train `model.trainable_variables` and `variables` through it, then put `calibration()` into
    `model.calibration` for `convert` to find. A model that brings ranges for the recipe starts from those.
    """

    def __init__(self, model: ViT, recipe: str | Recipe, task: str = "classify") -> None:
        self.model, self.recipe, self.task = model, for_head(find_recipe(recipe), model.config), task
        name = self.recipe.name
        check_depth(self.recipe, model.config.depth)
        if not self.recipe.uses_calibration:
            raise ConfigError(f"{name} has nothing to fine-tune for: choose int8, int8-static, int8-full or int4")
        if any(rule.op == "BATCH_MATMUL" for rule in self.recipe.rules):  # which rounds a part of `qkv` only
            raise ConfigError(f"{name} has no form to fine-tune in: fine-tune for int8, then convert to {name}")
        self.sites = _learned_sites(model, self.recipe, task)
        self.variables: list[Any] = []
        """One of [sites, 2]: log2 of how far the ends, low and high, lie from zero.

        In logarithms one learning rate suits ranges of every size, and no end changes its sign (Jain et al. 2019,
        section 3.3). NaN until there are ranges.
        """
        if self.sites:
            self.variables = [keras.Variable(np.full((len(self.sites), 2), np.nan), dtype="float32", name="range_ends")]
            if model.calibration is not None and model.calibration.recipe == name:
                check_sites(model.calibration)
                self._begin(model.calibration.ranges)

    def calibrate(self, batches: Iterable[Any]) -> None:
        """Sets the ranges from uint8 pictures [b, R, R, 3], of any resolutions: nine in ten keep within each int8 end.

        ai-edge-quantizer averages the pictures' ends. That clips half of the pictures wherever the class token's row
        has one number only (a variance), and what is clipped learns nothing; the widest ends would give all precision
        to a few outliers.
        """
        if not self.sites:
            return
        ends: dict[str, list[Any]] = {site: [] for site in self.sites}
        for images in batches:
            seen = _Observed()
            batch_outputs(self.model, tf.convert_to_tensor(images), seen, self.task)
            for site, values in ends.items():
                values.append(seen.ends[site])
        if not any(ends.values()):
            raise ConversionError(f"{self.recipe.name} needs pictures to calibrate with, and there are none")
        found = {site: np.concatenate(values) for site, values in ends.items()}
        self._begin({site: _roomy(each) if self._wide(site) else _typical(each) for site, each in found.items()})

    def __call__(self, images: Any, training: bool = False) -> Any:
        """[b, H, W, 3] in 0..255 -> logits [b, classes]; the same in training as after it.

        Of a dense task what the model itself gives (`ViT.dense`), one array [b, ...] or several by name.
        """
        return batch_outputs(self.model, images, self._arithmetic(), self.task)

    def calibration(self) -> ActivationRanges:
        """The ranges as they now stand."""
        if not self.sites:
            return ActivationRanges(self.recipe.name, {})
        ends = np.asarray(self._ends())
        ranges = {}
        for row, site in enumerate(self.sites):
            low, high = nudged(*ends[row])
            if self._wide(site):
                high = float(np.abs(ends[row]).max())
                low = -high
            ranges[site] = low, high
        return ActivationRanges(self.recipe.name, ranges)

    def _wide(self, site: str) -> bool:
        """Whether int16 is all that the site is rounded to."""
        return roundings(site, self.recipe) == ("int16",)

    def _begin(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        missing = [site for site in self.sites if site not in ranges]
        if missing:
            raise ConfigError(f"the model's calibration has no range for {missing[0]}; fine-tune from a model without")
        ends = np.array([ranges[site] for site in self.sites], np.float32)
        if not np.isfinite(ends).all():
            raise ConversionError("the model computes NaN or infinity on these pictures; it cannot be calibrated")
        self.variables[0].assign(np.log2(np.maximum(ends * (-1.0, 1.0), NEAREST)))

    def _ends(self) -> Any:
        """[sites, 2]."""
        logarithms = tf.convert_to_tensor(self.variables[0])
        if tf.executing_eagerly() and np.isnan(np.asarray(logarithms)).any():
            raise ConversionError(f"no ranges yet for {self.recipe.name}: call calibrate() with pictures first")
        return 2.0**logarithms * (-1.0, 1.0)

    def _arithmetic(self) -> BatchedArithmetic:
        ends = tf.unstack(self._ends()) if self.sites else []
        return RoundedArithmetic(
            self.recipe, {site: (row[0], row[1]) for site, row in zip(self.sites, ends, strict=True)}
        )


class BatchedArithmetic(Arithmetic):
    """Plain float32 for a batch of pictures, its weights variables."""

    lead = (-1,)

    def weight(self, values: Any) -> Any:
        return values

    def constant(self, values: Any, *, own_range: bool = False, read_at: str = "tokens") -> Any:
        return values


class _Observed(BatchedArithmetic):
    """Notes the ends of what each site computes: site -> [b, 2], a picture a row."""

    def __init__(self) -> None:
        self.ends: dict[str, Any] = {}

    def result(self, site: str, values: Any) -> Any:
        rows = tf.reshape(values, [tf.shape(values)[0], -1])
        self.ends[site] = tf.stack([tf.reduce_min(rows, axis=1), tf.reduce_max(rows, axis=1)], axis=1)
        return values


class RoundedArithmetic(BatchedArithmetic):
    """Rounded as `recipe` says: weights; linear layers' inputs row by row; sites in one range each."""

    def __init__(self, recipe: Recipe, ranges: Mapping[str, tuple[Any, Any]]) -> None:
        self.recipe = recipe
        self.ranges = {
            site: (tf.cast(low, tf.float32), tf.cast(high, tf.float32)) for site, (low, high) in ranges.items()
        }
        self.weights = "int8"  # what those of the linear layer at hand become
        self.made_at: dict[Any, str] = {}
        """The site of each tensor so far, by its `ref()`: a layer's bias is rounded by the range of what it reads, and
        heads have branches."""

    def weight(self, values: Any) -> Any:
        return values if self.weights == "float32" else round_weight(values, self.weights)

    def constant(self, values: Any, *, own_range: bool = False, read_at: str = "tokens") -> Any:
        kinds = roundings(read_at, self.recipe) if own_range else ()
        return round_constant(values, BITS[kinds[0]]) if kinds else values

    def compute(self, site: str, op: Callable[..., Any], *operands: Any, **options: Any) -> Any:
        if op is tf.math.rsqrt:  # of a zero: TFLite's kernel answers with the range's end; infinity has no gradient
            operands = (tf.maximum(operands[0], 1e-12),)
            if roundings(site, self.recipe) == ("int16",):
                _, bound = symmetric(*self._range(f"{site.rpartition('/')[0]}/stabilised"))
                _, result_bound = symmetric(*self._range(site))
                return super().compute(site, rsqrt_by_table, *operands, bound, result_bound)
        return super().compute(site, op, *operands, **options)

    def linear(
        self,
        site: str,
        product: Callable[[Any, Any], Any],
        inputs: Any,
        layer: Linear,
        rows: slice = slice(None),
    ) -> Any:
        how = activation(site, self.recipe)
        self.weights = weight(site, self.recipe) if how != "float32" else "float32"
        if how == "int8-dynamic":
            inputs = round_rows(inputs)
        if how != "int8-static":
            return super().linear(site, product, inputs, layer, rows)
        low, high = self._range(self.made_at[inputs.ref()])
        step = tf.reshape(weight_scale(layer.weight), [-1]) * (high - low) / LEVELS
        return super().linear(site, product, inputs, Linear(layer.weight, round_bias(layer.bias, step)), rows)

    def view(self, site: str, op: Callable[..., Any], *operands: Any, **options: Any) -> Any:
        return self.noted(site, super().view(site, op, *operands, **options))

    def result(self, site: str, values: Any) -> Any:
        for kind in roundings(site, self.recipe):
            if kind == "int8" and word(site) == "weighed":
                return self.noted(site, round_twice(values, *self._range(site)))
            values = round_static(values, *self._range(site), BITS[kind])
        return self.noted(site, values)

    def noted(self, site: str, values: Any) -> Any:
        """`values`, one tensor or several, which from now on are known to come from that site."""
        self.made_at |= {each.ref(): site for each in tf.nest.flatten(values)}
        return values

    def _range(self, site: str) -> tuple[Any, Any]:
        return FIXED[word(site)] if word(site) in FIXED else self.ranges[site]


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]  # no branch depends on a tensor: saves time
def batch_outputs(model: ViT, images: Any, arithmetic: BatchedArithmetic, task: str = "classify") -> Any:
    """[b, H, W, 3] -> what the model itself gives, by way of the lowered graph.

    A classifier's logits [b, classes], a segmentation's [b, rows, columns, classes], all else [b, ...] by name.
    """
    arrays = {name: tf.convert_to_tensor(variable) for name, variable in named_weights(model).items()}
    heads = looked_at(model.config, task)
    folded = fold(model.config, arrays, Resolution(images.shape[2], images.shape[1]), tf.float32, heads=heads)
    outputs = graph(model.config, folded, heads, do=arithmetic)(images)
    if task == "classify":
        return outputs["logits"][:, 0]
    return outputs["class_logits"] if task == "segment" else outputs


def _typical(ends: Any) -> tuple[float, float]:
    """Low and high ends of pictures [n, 2] -> the ends that `KEPT_SHARE` of them keep within, each by itself."""
    return float(np.quantile(ends[:, 0], 1.0 - KEPT_SHARE)), float(np.quantile(ends[:, 1], KEPT_SHARE))


def _roomy(ends: Any) -> tuple[float, float]:
    """The same for int16: `HEADROOM` times the widest, because a step more costs nothing and clipping does."""
    bound = HEADROOM * float(max(np.abs(ends).max(), NEAREST))
    return -bound, bound


def _learned_sites(model: ViT, recipe: Recipe, task: str) -> list[str]:
    """The sites whose ranges the recipe has to know, in the graph's order: traced, not run."""
    seen, base = _Observed(), model.config.base_resolution
    trace = tf.function(lambda images: batch_outputs(model, images, seen, task), autograph=False)
    trace.get_concrete_function(tf.TensorSpec([1, base.height, base.width, 3], tf.uint8))
    return [site for site in seen.ends if roundings(site, recipe) and word(site) not in FIXED]
