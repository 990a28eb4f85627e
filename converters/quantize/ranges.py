"""One range a site, from pictures: the ends that cost least where the site's numbers go, not the widest seen.

A range is for all resolutions of the ladder, so that what depends on it (biases, positions) is equal on all rungs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.special import erf

from converters.graph.arithmetic import Linear
from converters.graph.folded import Folded
from converters.graph.heads.detect import halved
from converters.graph.heads.head import Head
from converters.graph.heads.keypoints import windows
from converters.graph.heads.planes import around
from converters.graph.lowering import graph
from converters.graph.norms import convolve
from converters.graph.stem import halve
from converters.quantize.activations import FIXED, readers, roundings, word
from converters.quantize.fake_quantization import HEADROOM, NEAREST, BatchedArithmetic
from converters.quantize.fake_rounding import LEVELS, rsqrt_by_table
from converters.quantize.recipes import Recipe
from edgevit.config import ViTConfig
from edgevit.errors import ConversionError

ROWS = 8
"""Sampled of each picture's tokens in front, and as many of its patches, head by head: what a ViT answers from are
the few tokens in front, and among all they would count for nothing."""
STEPPING: Mapping[Callable[[Any, Any], Any], tuple[int, str]] = {
    around: (1, "SAME"),
    halved: (2, "SAME"),
    windows: (1, "VALID"),
    halve: (2, "VALID"),
}
"""How far convolutions step, and whether zeros are around what they read. `convolve` goes from patch to patch."""
NOT_ROUNDED_BY_MOMENTS = ("queries", "spans")
"""The first's layer is `qkv`'s, the second's numbers are powers of two."""
READ_BY_RSQRT = ("variance", "stabilised")
RSQRT_HEADROOM = 1.1
"""Less than others have: its table begins with the range's end, and a row with still less variance may be clipped."""
SHRINKING = np.geomspace(1.0, 0.15, 12)
"""Shares of the widest end that are tried."""
NUMBERS = 100_000
"""The most that a range is chosen by."""

FoldedBatches = Iterable[tuple[Folded, NDArray[np.uint8]]]
"""Folded for a resolution, and pictures of it, [b, R, R, 3]."""


@dataclass
class ActivationSample:
    """What was seen of one site."""

    rows: list[NDArray[np.float32]]  # each [n, width]
    low: float = 0.0
    high: float = 0.0

    def joined(self) -> NDArray[np.float32]:
        """[n, width]; of a site whose width depends on the resolution [n, 1]."""
        if len({each.shape[1] for each in self.rows}) == 1:
            return np.concatenate(self.rows)
        return np.concatenate([each.reshape(-1, 1) for each in self.rows])


@dataclass
class Moments:
    """Of what a linear layer reads: the tokens in front weigh as much as all patches together."""

    second: Any = 0.0  # [in, in], E[x xᵀ] times `weight`
    first: Any = 0.0  # [in]
    weight: float = 0.0

    def add(self, rows: Any) -> None:
        """rows: [n, in]."""
        count = float(rows.shape[0])
        if count:
            self.second += tf.matmul(rows, rows, transpose_a=True).numpy().astype(np.float64) / count
            self.first += tf.reduce_mean(rows, axis=0).numpy().astype(np.float64)
            self.weight += 1.0


@dataclass(frozen=True)
class Observed:
    samples: dict[str, ActivationSample]
    moments: dict[str, Moments]
    """By the site that the linear layer puts out."""


def observe(
    config: ViTConfig,
    batches: FoldedBatches,
    heads: Sequence[Head] | None = None,
    *,
    moments: bool = False,
    weighting: str = "softmax",
) -> Observed:
    """Each site -> a sample of what the float graph computes there; with the moments of linear layers' inputs.

    heads: of the tasks that the graph is for; None: the classifier's. weighting: of `WEIGHTINGS`.

    Raises `ConversionError` where it computes NaN or infinity, naming the site.
    """
    watch = _Observer(config.prefix, moments)
    for folded, images in batches:
        graph(config, folded, heads, do=watch, weighting=weighting)(tf.constant(images))
    for site, sample in watch.samples.items():
        if not np.isfinite([sample.low, sample.high]).all():
            raise ConversionError(f"the model computes NaN or infinity at {site} on these pictures")
    return Observed(watch.samples, watch.moments)


class _Observer(BatchedArithmetic):
    def __init__(self, prefix: int, with_moments: bool) -> None:
        self.prefix, self.with_moments = prefix, with_moments
        self.moments: dict[str, Moments] = {}
        self.samples: dict[str, ActivationSample] = {}
        self.random = np.random.default_rng(0)

    def linear(
        self,
        site: str,
        product: Callable[[Any, Any], Any],
        inputs: Any,
        layer: Linear,
        rows: slice = slice(None),
    ) -> Any:
        if self.with_moments and word(site) not in NOT_ROUNDED_BY_MOMENTS:
            seen = self.moments.setdefault(site, Moments())
            if len(layer.weight.shape) == 4:
                kernel = layer.weight.shape[1:3]
                step, padding = STEPPING.get(product, (1, "VALID"))
                steps = kernel if product is convolve else (step, step)
                inputs_by_patch = tf.image.extract_patches(inputs, [1, *kernel, 1], [1, *steps, 1], [1] * 4, padding)
                seen.add(tf.reshape(inputs_by_patch, [-1, inputs_by_patch.shape[-1]]))
            else:
                for part in (inputs[:, : self.prefix], inputs[:, self.prefix :]):
                    seen.add(tf.reshape(part, [-1, part.shape[-1]]))
        return super().linear(site, product, inputs, layer, rows)

    def result(self, site: str, values: Any) -> Any:
        sample = self.samples.setdefault(site, ActivationSample([]))
        sample.low = min(sample.low, float(tf.reduce_min(values)))
        sample.high = max(sample.high, float(tf.reduce_max(values)))
        if word(site) not in FIXED:
            for part in (values[..., : self.prefix, :], values[..., self.prefix :, :]):
                rows = tf.reshape(part, [-1, part.shape[-1]])
                if rows.shape[0]:
                    picks = self.random.integers(0, rows.shape[0], min(rows.shape[0], ROWS * values.shape[0]))
                    sample.rows.append(tf.gather(rows, picks).numpy())
        return values


def choose_ranges(
    folded: Folded, recipe: Recipe, samples: Mapping[str, ActivationSample]
) -> dict[str, tuple[float, float]]:
    """A range for each site that the recipe rounds. `folded`: what `samples` were computed with."""
    # Where some task reads all tokens, no pass that pictures were shown had the last block's queries apart: a task that
    # reads those in front alone takes the range of them all, and so answers alone as it does together with the others.
    attention = f"block{len(folded.blocks) - 1}/attention"
    if f"{attention}/qkv" in samples:
        samples = {f"{attention}/queries": samples[f"{attention}/qkv"], **samples}
    ranges = {}
    for site, sample in samples.items():
        kinds = roundings(site, recipe)
        if not kinds or word(site) in FIXED:
            continue
        if kinds == ("int16",):
            # The variance has the range of what RSQRT reads, a little further on.
            reader = samples.get(f"{site.rpartition('/')[0]}/stabilised") if word(site) in READ_BY_RSQRT else None
            headroom = RSQRT_HEADROOM if word(site) == "scale" else HEADROOM
            bound = headroom * max(-sample.low, sample.high, NEAREST) if reader is None else rsqrt_bound(reader)
            ranges[site] = (-bound, bound)
        elif word(site) == "weighed":
            ranges[site] = _widest(sample)
        elif recipe.weighting == "powers" and word(site) == "products":
            ranges[site] = _softened(sample)
        elif recipe.weighting == "powers" and word(site) in ("qkv", "queries"):
            ranges[site] = _around_zero(least_squared_error(sample.joined(), sample.low, sample.high))
        else:
            rows = sample.joined()
            reading = _reading(site, folded, rows.shape[1])
            ranges[site] = least_squared_error(rows, sample.low, sample.high, *reading)
    return ranges


def least_squared_error(
    rows: NDArray[np.float32],
    low: float,
    high: float,
    weight: Any = 1.0,
    through: Callable[[Any], Any] = lambda values: values,
) -> tuple[float, float]:
    """The ends between [low, high] and 0 with the least squared error of `rows`, [n, width], rounded to int8.

    weight: of each column's error, [width], of each number's, or one for all; through: what the numbers go through
        before it counts.
    """
    high = max(high, low + NEAREST)
    rows = rows[:: -(-rows.size // NUMBERS)]
    exact = through(rows)

    def error(low: float, high: float) -> float:
        step = (high - low) / LEVELS
        zero = np.floor(0.5 - low / step)
        rounded = (np.clip(np.round(rows / step) + zero, 0, LEVELS) - zero) * step
        return float(np.mean(np.square(through(rounded) - exact) * weight))

    shares, best = [1.0, 1.0], error(low, high)
    for _ in range(2):
        for end in (0, 1):
            for share in SHRINKING:
                tried = [share, shares[1]] if end == 0 else [shares[0], share]
                if tried[1] * high - tried[0] * low >= NEAREST:
                    cost = error(low * tried[0], high * tried[1])
                    if cost < best:
                        best, shares = cost, tried
    return float(low * shares[0]), float(high * shares[1])


def _softened(sample: ActivationSample) -> tuple[float, float]:
    """The range of products of queries and keys, by the error behind the softmax."""
    values, weight = _by_softmax(sample.rows)
    low, _ = least_squared_error(values, sample.low, sample.high, weight)
    return low, max(sample.high, low + NEAREST)  # what is clipped there is a row's largest: none is


def _by_softmax(rows: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Products, each [n, tokens], as a column, and what the softmax makes of each, which its error counts by.

    Far below a row's largest it is nothing: the range need not hold what is there.
    """
    shares = [np.exp(each - each.max(axis=1, keepdims=True)) for each in rows]
    weights = [each / each.sum(axis=1, keepdims=True) for each in shares]
    values, weight = (np.concatenate([each.reshape(-1, 1) for each in parts]) for parts in (rows, weights))
    step = -(-values.size // NUMBERS)
    return values[::step], weight[::step]


def _around_zero(ends: tuple[float, float]) -> tuple[float, float]:
    """As wide at both ends, of which the lower has a step more: the zero point is 0, which products ask for."""
    bound = max(-ends[0], ends[1])
    return -bound * 128.0 / 127.0, bound


def _widest(sample: ActivationSample) -> tuple[float, float]:
    """For `round_twice`, which has steps for small rows as well: nothing that was seen is clipped.

    A clipped row errs by more than all others gain by finer steps.
    """
    bound = max(-sample.low, sample.high, NEAREST)
    return -bound, bound


def rsqrt_bound(sample: ActivationSample) -> float:
    """The int16 range for an RSQRT with the least squared error, as a share of the result.

    Its kernel tells nothing apart below a 256th of the range, so that one token with a huge variance must not set it.
    """
    values = sample.joined()
    exact = 1.0 / np.sqrt(values)
    widest = HEADROOM * max(sample.high, NEAREST)

    def error(bound: float) -> float:
        found = rsqrt_by_table(np.minimum(values, bound), np.float32(bound), np.float32(RSQRT_HEADROOM * exact.max()))
        return float(np.mean(np.square(found / exact - 1.0)))

    errors = {widest / 2.0**halvings: error(widest / 2.0**halvings) for halvings in range(12)}
    allowed = 1.1 * min(errors.values()) + 1e-5  # of two about as good the wider, for other pictures
    return float(max(bound for bound in errors if errors[bound] <= allowed))


def _reading(site: str, folded: Folded, width: int) -> tuple[Any, Callable[[Any], Any]]:
    """How the error at a site counts for the op that reads it: by a linear layer's columns, behind the GELU."""
    name = word(site)
    if name == "expand":
        return 1.0, silu if folded.activation == "quick_gelu" else gelu
    reader = next(iter(readers(site)), None)
    head = folded.head_layers.get("logits")
    if reader == "logits" and head is not None:
        columns = np.square(np.asarray(head.weight)).sum(axis=0)
        if columns.size % width:
            return 1.0, _same  # it reads something else
        return columns.reshape(-1, width).sum(axis=0), _same  # a token's after another's
    if reader in ("qkv", "expand", "contract") and site.startswith("block"):
        block = folded.blocks[int(site.partition("/")[0].removeprefix("block"))]
        return np.square(np.asarray(getattr(block, reader).weight)).sum(axis=0), _same
    return 1.0, _same


def _same(values: Any) -> Any:
    return values


def gelu(values: Any) -> Any:
    """Exact, as the graph has it; what goes by way of tanh is next to it."""
    return values * 0.5 * (1.0 + erf(values * np.float32(0.5**0.5)))


def silu(values: Any) -> Any:
    """What quick GELU is, its factor folded away."""
    return values / (1.0 + np.exp(-values))
